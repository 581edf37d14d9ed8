// What was written but not yet acknowledged, and drafts: both outlive a reload, a crash and an expired sign-in.
function read(key) {
  try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
}

function write(key, value) {
  try {
    if (value) localStorage.setItem(key, JSON.stringify(value));
    else localStorage.removeItem(key);
  } catch { /* a full or forbidden store must not keep anybody from asking */ }
}

export class Outbox {
  #key;
  constructor(name) { this.#key = `studybuddy.outbox.${name}`; }
  /** The one unsent message, {client_id, text}, or null. */
  get waiting() { return read(this.#key); }
  put(message) { write(this.#key, message); }
  clear(clientId) { if (this.waiting?.client_id === clientId) write(this.#key, null); }
}

export class Draft {
  #key;
  constructor(name) { this.#key = `studybuddy.draft.${name}`; }
  get text() { return read(this.#key) || ""; }
  set text(value) { write(this.#key, value); }
}

/** An id that stays with a message however often it is sent. */
export function newClientId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
