// What is seen: the log, its states, the line that says who writes. Everything that was written by
// somebody goes in as text.

import { link, linked } from "./links.js";

const STATES = { sending: "sending", sent: "sent", read: "read" };

export class View {
  constructor(title, retry) {
    Object.assign(this, { title, retry, byId: new Map(), byClient: new Map() });
    this.log = document.getElementById("log");
    this.talk = document.getElementById("talk");
    this.state = document.getElementById("state");
    this.writer = document.getElementById("typing");
    this.log.replaceChildren();
    // What was said before is not read out; what comes after it is.
    this.talk.setAttribute("aria-live", "off");
  }

  /** Shows a message once, in its place; what is here already is only brought up to date. */
  message(frame) {
    const own = frame.direction === "in";
    const known = this.byId.get(frame.id) ?? (own && this.byClient.get(frame.client));
    const item = known || this.#item(frame, own);
    this.#name(item, frame);
    if (!known) this.#place(item);
    if (own && item.dataset.state !== "read") this.#set(item, frame.state ?? "sent");
    return !known;
  }

  /** Shows what was just written, before the daemon has it. */
  pending(written) {
    if (this.byClient.has(written.client)) return;
    const item = this.#item({ ...written, at: Date.now() }, true);
    this.byClient.set(written.client, item);
    this.#set(item, "sending");
    this.#place(item);
  }

  accepted(frame) {
    const item = this.byClient.get(frame.client);
    if (!item) return;
    this.#name(item, frame);
    if (item.dataset.state === "sending" || item.dataset.state === "failed") this.#set(item, "sent");
  }

  /** A message that was not taken, and why; with a way to try it again. */
  failed(client, why) {
    const item = this.byClient.get(client);
    if (!item) return;
    this.#set(item, "failed", `not sent: ${why}`);
    const again = document.createElement("button");
    again.type = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => {
      this.#set(item, "sending");
      this.retry(client);
    });
    item.querySelector(".meta").append(" ", again);
  }

  /** Somebody has read what the visitor wrote up to this message. */
  read(client) {
    let seen = false;
    for (const item of [...this.log.children].reverse()) {
      seen ||= item === this.byClient.get(client);
      if (seen && item.dataset.state === "sent") this.#set(item, "read");
    }
  }

  typing(on) {
    clearTimeout(this.writing);
    this.writer.textContent = on ? `${this.title} is writing …` : "";
    if (on) this.writing = setTimeout(() => this.typing(false), 10_000);
  }

  say(words) {
    if (this.state.textContent !== words) this.state.textContent = words;
  }

  caughtUp() {
    this.talk.setAttribute("aria-live", "polite");
  }

  #item(frame, own) {
    const item = document.createElement("li");
    item.className = own ? "own" : "other";
    item.append(element("span", "who", own ? "You" : this.title));
    if (frame.text) {
      const text = element("p", "text", "");
      text.append(linked(frame.text));
      item.append(text);
    }
    for (const file of frame.media ?? []) item.append(attachment(file));
    const meta = element("span", "meta", "");
    const time = element("time", "", new Date(frame.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
    time.dateTime = new Date(frame.at).toISOString();
    time.title = new Date(frame.at).toLocaleString();
    meta.append(time, element("span", "state", ""));
    item.append(meta);
    return item;
  }

  #name(item, { id, client }) {
    if (client) this.byClient.set(client, item);
    if (!id) return;
    item.dataset.id = id;
    this.byId.set(id, item);
  }

  /** Ids grow with time; what has none yet stays last. */
  #place(item) {
    const near = this.talk.scrollHeight - this.talk.scrollTop - this.talk.clientHeight < 80;
    const { id } = item.dataset;
    let next = null;
    for (let at = this.log.lastElementChild; at && id && (at.dataset.id ?? "~") > id; at = at.previousElementSibling) next = at;
    this.log.insertBefore(item, next);
    if (near || item.className === "own") this.talk.scrollTop = this.talk.scrollHeight;
  }

  #set(item, state, words = STATES[state] ?? state) {
    item.dataset.state = state;
    const shown = item.querySelector(".state");
    shown.textContent = ` · ${words}`;
    item.querySelector(".meta button")?.remove();
  }
}

function attachment(file) {
  const line = element("p", "file", "");
  const name = file.name || "attachment";
  const web = /^https?:\/\//iu.test(file.url ?? "");
  line.append(web ? link(file.url, name) : name);
  return line;
}

function element(name, kind, text) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  made.textContent = text;
  return made;
}
