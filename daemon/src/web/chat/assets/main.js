// The visitor's page: joins what is typed, what is kept in the browser, and the way to the daemon.
// A message counts as sent when the daemon says that it is stored; until then it is kept here and sent
// again under the same id, which the daemon takes once.

import { Connection } from "./connection.js";
import { View } from "./view.js";

const base = new URL(document.body.dataset.base, location.href);
const form = document.getElementById("form");
const field = form.elements.text;
const place = `trunkline-chat ${base.pathname}`;
const kept = { token: null, outbox: [], name: "", email: "", ...load() };
const view = new View(document.title, (client) => sendOne(kept.outbox.find((each) => each.client === client)));
const title = document.title;
let last = null; // the id of the newest message on the page
let files = []; // uploaded, and not sent yet
const unread = new Set();
const marks = { delivered: new Set(), read: new Set() };
const connection = new Connection(base, () => ({ token: kept.token, after: last }), { frame, state, token: renew });

function load() {
  try {
    return JSON.parse(localStorage.getItem(place)) ?? {};
  } catch {
    return {}; // storage may be closed to a page in a frame: then it lasts as long as the page
  }
}

function save() {
  try {
    localStorage.setItem(place, JSON.stringify(kept));
  } catch {
    // As above.
  }
}

/** Asks for a token, with the one that is kept where there is one; a wrong one is forgotten. */
async function session() {
  for (let wait = 1_000; ; wait = Math.min(wait * 2, 30_000)) {
    try {
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify(kept.token ? { token: kept.token } : {});
      const answer = await fetch(new URL("session", base), { method: "POST", headers, body });
      if (answer.ok) {
        kept.token = (await answer.json()).token;
        return save();
      }
      if (answer.status === 401) kept.token = null;
    } catch {
      // No way to the daemon now.
    }
    view.say("No connection. Trying again …");
    await new Promise((done) => setTimeout(done, kept.token ? wait : wait / 2));
  }
}

async function renew() {
  await session();
  connection.start();
}

function state(word) {
  const words = { connecting: last ? "Reconnecting …" : "Connecting …", live: "", lost: "Connection lost. Reconnecting …" };
  view.say(words[word]);
}

function frame(frame) {
  if (frame.type === "ready") kept.outbox.filter((each) => !each.failed).forEach(sendOne);
  if (frame.type === "caught_up") view.caughtUp();
  if (frame.type === "message") message(frame);
  if (frame.type === "accepted") {
    kept.outbox = kept.outbox.filter((each) => each.client !== frame.client);
    save();
    if (frame.id > (last ?? "")) last = frame.id;
    view.accepted(frame);
  }
  if (frame.type === "read") {
    view.read(frame.client);
    view.typing(frame.typing === true);
  }
  if (frame.type === "typing") view.typing(frame.on === true);
  if (frame.type === "refused") refused(frame);
}

function message(frame) {
  const isNew = view.message(frame);
  if (frame.id > (last ?? "")) last = frame.id;
  if (frame.direction !== "out") return;
  view.typing(false);
  if (frame.state === "read") return;
  if (isNew) unread.add(frame.id);
  seen();
}

/** Tells what has arrived, and what was seen; a moment later, so that many go together. */
function seen() {
  const isSeen = !document.hidden;
  for (const id of unread) marks[isSeen ? "read" : "delivered"].add(id);
  if (isSeen) unread.clear();
  document.title = unread.size ? `(${unread.size}) ${title}` : title;
  tell({ unread: unread.size });
  seen.timer ??= setTimeout(() => {
    seen.timer = null;
    for (const [type, ids] of Object.entries(marks)) {
      const messages = [...ids].slice(0, 100);
      if (messages.length && connection.send({ type, messages })) messages.forEach((id) => ids.delete(id));
    }
  }, 300);
}

function refused(frame) {
  const written = kept.outbox.find((each) => each.client === frame.client);
  if (!written) return frame.detail && view.say(frame.detail);
  if (frame.retry_after) return setTimeout(() => sendOne(written), frame.retry_after * 1_000);
  written.failed = true;
  save();
  view.failed(frame.client, frame.detail);
}

function sendOne(written) {
  if (!written || !kept.outbox.includes(written)) return;
  delete written.failed;
  view.pending(written);
  connection.send({ type: "message", ...written });
}

function write() {
  const text = field.value;
  if (!text.trim() && !files.length) return;
  if (!form.elements.email.checkValidity()) {
    document.getElementById("self").open = true;
    form.elements.email.reportValidity();
    return;
  }
  const client = crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join("");
  const written = { client, text, name: form.elements.name.value, email: form.elements.email.value, media: files };
  kept.outbox.push(written);
  Object.assign(kept, { name: written.name, email: written.email });
  save();
  files = [];
  field.value = "";
  field.style.height = "";
  typed.sent = 0;
  sendOne(written);
  field.focus();
}

/** Says now and then that the visitor is writing. */
function typed() {
  field.style.height = "";
  field.style.height = `${Math.min(field.scrollHeight + 2, 160)}px`;
  if (Date.now() - (typed.sent ?? 0) > 4_000 && connection.send({ type: "typing", on: true })) typed.sent = Date.now();
}

async function upload(input) {
  const [file] = input.files;
  if (!file) return;
  const headers = { "content-type": file.type || "application/octet-stream", authorization: `Bearer ${kept.token}` };
  try {
    const answer = await fetch(new URL("uploads", base), { method: "POST", headers, body: file });
    const stored = await answer.json();
    if (!answer.ok) return view.say(stored.detail);
    files.push({ ...stored, name: file.name });
    view.say(`${file.name} goes with your next message.`);
  } catch {
    view.say(`${file.name} could not be uploaded.`);
  } finally {
    input.value = "";
  }
}

/** Tells the page around, where there is one; nothing that was said goes there. */
function tell(news) {
  if (parent !== window) parent.postMessage({ trunkline: news }, "*");
}

form.elements.name.value ||= kept.name;
form.elements.email.value ||= kept.email;
field.required = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});
field.addEventListener("input", typed);
field.addEventListener("keydown", (event) => {
  const plain = event.key === "Enter" && !event.shiftKey && !event.isComposing;
  if (!plain || matchMedia("(pointer: coarse)").matches) return;
  event.preventDefault();
  write();
});
document.addEventListener("keydown", (event) => event.key === "Escape" && tell({ close: true }));
document.addEventListener("visibilitychange", seen);
if (document.body.dataset.files) {
  document.getElementById("attach").hidden = false;
  document.getElementById("file").addEventListener("change", (event) => upload(event.target));
}
kept.outbox = kept.outbox.filter((each) => !each.failed);
kept.outbox.forEach((written) => view.pending(written));
await session();
connection.start();
