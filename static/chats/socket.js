// The connection of one conversation: it comes back by itself, and notices when it is dead.
const PING_EVERY = 25000;
const ANSWER_WITHIN = 8000;
const FINAL = { 4401: "signed-out", 4403: "signed-out", 4404: "gone" };

export class Connection extends EventTarget {
  #url; #socket; #timer; #ping; #waiting; #tries = 0;
  state = "connecting";

  /** Events: `frame` with the server's event as detail, `state` with connecting|open|waiting|signed-out|gone. */
  constructor(path) {
    super();
    this.#url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    addEventListener("online", () => this.#retry());
    addEventListener("offline", () => this.#drop());
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#check(); });
    addEventListener("pagehide", () => { clearTimeout(this.#timer); this.#socket?.close(); });
    addEventListener("pageshow", (event) => { if (event.persisted) this.connect(); });
  }

  connect() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    const socket = this.#socket = new WebSocket(this.#url);
    this.#await(ANSWER_WITHIN);
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      clearTimeout(this.#waiting);
      const frame = JSON.parse(data);
      if (frame.type === "ready") this.#opened();
      if (frame.type !== "pong") this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    };
    socket.onclose = ({ code }) => { if (socket === this.#socket) this.#closed(code); };
  }

  get open() { return this.state === "open" && this.#socket.readyState === WebSocket.OPEN; }

  /** How often it has failed since it was last open. */
  get failures() { return this.#tries; }

  /** Returns whether the action went out. */
  send(action) {
    if (!this.open) return false;
    this.#socket.send(JSON.stringify(action));
    return true;
  }

  #opened() {
    this.#tries = 0;
    clearInterval(this.#ping);
    this.#ping = setInterval(() => this.#check(), PING_EVERY);
    this.#set("open");
  }

  #closed(code) {
    clearInterval(this.#ping);
    clearTimeout(this.#waiting);
    this.#socket = null;
    if (code in FINAL) return this.#set(FINAL[code]);
    this.#tries += 1;
    // Half to whole of a doubling delay, so that a restarted server isn't met by everyone at once.
    const delay = Math.min(15000, 400 * 2 ** this.#tries) * (0.5 + Math.random() / 2);
    this.#timer = setTimeout(() => this.connect(), delay);
    this.#set("waiting");
  }

  #drop() { const socket = this.#socket; if (socket) { this.#closed(1006); socket.close(); } }

  #retry() { if (this.state === "waiting") this.connect(); }

  #check() {
    if (!this.send({ action: "ping" })) return this.#retry();
    this.#await(ANSWER_WITHIN);
  }

  #await(limit) {
    clearTimeout(this.#waiting);
    this.#waiting = setTimeout(() => this.#drop(), limit);
  }

  #set(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}
