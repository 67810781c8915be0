// The way to the daemon: a WebSocket, and where none passes an event stream with a POST for each frame.
// It comes back by itself, and says each time where it left off.

const SILENT_MS = 50_000; // the daemon beats every 20 s
const WAIT_MAX_MS = 30_000;
const SOCKET_FAULTS_MAX = 2;

export class Connection {
  /**
   * `hello()` gives {token, after}; `on.frame(frame)` takes what comes; `on.state(word)` is told of
   * "connecting", "live" and "lost"; `on.token()` is asked for another token.
   */
  constructor(base, hello, on) {
    Object.assign(this, { base, hello, on, attempt: 0, socketFaults: 0, live: false });
    addEventListener("online", () => this.#soon(0));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !this.live) this.#soon(0);
    });
  }

  start() {
    this.#open();
  }

  /** Sends a frame; false where it surely did not go. */
  send(frame) {
    if (!this.live) return false;
    if (this.socket) this.socket.send(JSON.stringify(frame));
    else this.#post(frame);
    return true;
  }

  #open() {
    clearTimeout(this.timer);
    this.#close();
    this.on.state("connecting");
    this.attempt += 1;
    this.#listen();
    // Now and then a socket is tried again: what stood in its way may have gone.
    const stream = this.socketFaults >= SOCKET_FAULTS_MAX && this.attempt % 5 !== 0;
    if (stream) this.#openStream();
    else this.#openSocket();
  }

  #openSocket() {
    const url = new URL("ws", this.base);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.onopen = () => socket.send(JSON.stringify({ type: "hello", ...this.hello() }));
    socket.onmessage = (event) => this.#frame(JSON.parse(event.data));
    socket.onclose = () => {
      if (this.socket !== socket) return;
      if (!this.live) this.socketFaults += 1;
      this.#lost();
    };
  }

  async #openStream() {
    const stop = new AbortController();
    this.stop = stop;
    const { token, after } = this.hello();
    const url = new URL("events", this.base);
    if (after) url.searchParams.set("after", after);
    try {
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token}` }, signal: stop.signal });
      if (!answer.ok) this.#frame(await answer.json());
      else await this.#read(answer.body);
    } catch {
      // Whatever it was, the way is closed: it is opened again below.
    }
    if (this.stop === stop) this.#lost();
  }

  async #read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (text + value).split("\n\n");
      text = parts.pop();
      for (const part of parts) if (part.startsWith("data: ")) this.#frame(JSON.parse(part.slice(6)));
    }
  }

  async #post(frame) {
    const { token } = this.hello();
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    try {
      const answer = await fetch(new URL("messages", this.base), { method: "POST", headers, body: JSON.stringify(frame) });
      this.#frame(await answer.json());
    } catch {
      this.#lost();
    }
  }

  #frame(frame) {
    this.#listen();
    if (frame.type === "ready") {
      Object.assign(this, { live: true, attempt: 0 });
      if (this.socket) this.socketFaults = 0;
      this.on.state("live");
    }
    if (frame.type === "beat") this.socket?.send(JSON.stringify({ type: "beat" }));
    else if (frame.type === "refused" && frame.code === "token") this.on.token();
    else this.on.frame(frame);
  }

  /** A way on which nothing comes is closed, whatever it says of itself. */
  #listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.#lost(), SILENT_MS);
  }

  #lost() {
    this.#close();
    this.on.state("lost");
    const wait = Math.min(WAIT_MAX_MS, 500 * 2 ** this.attempt);
    this.#soon(wait * (0.5 + Math.random() / 2));
  }

  #close() {
    clearTimeout(this.silence);
    const { socket, stop } = this;
    Object.assign(this, { live: false, socket: null, stop: null });
    socket?.close();
    stop?.abort();
  }

  #soon(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => !this.live && this.#open(), wait);
  }
}
