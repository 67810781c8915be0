// Puts the chat into a page of another site: <script src="https://.../chat/CHANNEL/embed.js" async></script>
// A button at the lower edge opens the chat in a frame. `data-label` names the button.
(() => {
  const script = document.currentScript;
  const address = new URL(script.src).href.replace(/\/embed\.js.*$/u, "");
  const label = script.dataset.label || "Chat";

  const frame = document.createElement("iframe");
  frame.title = label;
  frame.hidden = true;
  Object.assign(frame.style, {
    position: "fixed", right: "max(1rem, env(safe-area-inset-right))", bottom: "5rem", zIndex: "2147483000",
    width: "min(24rem, calc(100vw - 2rem))", height: "36rem", maxHeight: "calc(100vh - 7rem)",
    border: "1px solid #8888", borderRadius: "0.75rem", boxShadow: "0 0.5rem 2rem #0004", colorScheme: "light dark",
  });

  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.setAttribute("aria-expanded", "false");
  Object.assign(button.style, {
    position: "fixed", right: "max(1rem, env(safe-area-inset-right))", bottom: "max(1rem, env(safe-area-inset-bottom))",
    zIndex: "2147483000", minHeight: "3rem", padding: "0 1.25rem", border: "0", borderRadius: "1.5rem",
    font: "600 1rem system-ui, sans-serif", color: "#fff", background: "#0b57d0", cursor: "pointer",
  });

  const show = (open) => {
    frame.src ||= address;
    frame.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) frame.focus();
    else button.focus();
  };
  button.addEventListener("click", () => show(frame.hidden));
  addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== new URL(address).origin) return;
    const news = event.data?.trunkline ?? {};
    if (news.close) show(false);
    if (typeof news.unread === "number") button.textContent = news.unread ? `${label} (${news.unread})` : label;
  });
  const put = () => document.body.append(button, frame);
  if (document.body) put();
  else addEventListener("DOMContentLoaded", put);
})();
