// The shown branch of a conversation, and the one reply that may be growing in it.
const codePoints = (text) => {
  let count = text.length;
  for (const pair of text.matchAll(/[\ud800-\udbff][\udc00-\udfff]/g)) count -= pair.length;
  return count;
};

/** A piece of this page as the server renders it; rejects when it can't be had. */
async function fragment(path) {
  const response = await fetch(location.pathname + path, { headers: { "HX-Request": "true" } });
  if (!response.ok) throw new Error(`${response.status} ${path}`);
  const holder = document.createElement("template");
  holder.innerHTML = await response.text();
  return holder.content;
}

export class Transcript {
  #column; #live = null; #ask;

  /** `ask(action)` sends an action to the server, for when text is missing here. */
  constructor(column, ask) {
    this.#column = column;
    this.#ask = ask;
  }

  find(id) { return document.getElementById(`m-${id}`); }
  get last() { return this.#column.querySelector(".turn:last-of-type"); }
  get running() { return this.#column.querySelector(".turn[data-state='queued'], .turn[data-state='streaming']"); }

  /** Whether the message that the server shows last stands last here too. */
  endsWith(headId) { return !headId || [...this.#column.querySelectorAll(".turn[id]")].at(-1)?.id === `m-${headId}`; }

  /** Whether what stands here is what the server says: its number of messages and the reply that runs. */
  agrees(session) {
    const count = Number(this.#column.querySelector(".turn[data-ordinal]:last-of-type")?.dataset.ordinal ?? 0);
    return count === session.message_count && (this.running?.dataset.messageId ?? null) === session.running_reply_id;
  }

  async reload() {
    this.#column.replaceChildren(await fragment(""));
    htmx.process(this.#column);
    if (!this.#live?.turn.isConnected) this.#live = null; // the next delta asks for what it missed
  }

  /** Shows a question that the server hasn't acknowledged yet. */
  addUnsent({ client_id: clientId, text }) {
    if (this.#column.querySelector(`[data-client-id="${CSS.escape(clientId)}"]`)) return;
    const turn = this.#clone("question-template");
    turn.dataset.clientId = clientId;
    turn.dataset.state = "unsent";
    turn.querySelector(".asked").textContent = text;
    this.#column.append(turn);
  }

  /** Says under an unsent question why it is still here. */
  explain(text) {
    const line = this.#unsent()?.querySelector(".outbox");
    if (line) line.textContent = text;
  }

  removeUnsent() { this.#unsent()?.remove(); }

  #unsent() { return this.#column.querySelector(".turn[data-state='unsent']"); }

  /** Puts a message that is now stored in its place. */
  add(message, clientId) {
    const unsent = clientId && this.#column.querySelector(`[data-client-id="${CSS.escape(clientId)}"]`);
    if (this.find(message.id)) {
      if (unsent && !unsent.dataset.messageId) unsent.remove();
      return;
    }
    const turn = unsent || this.#clone("question-template");
    turn.id = `m-${message.id}`;
    Object.assign(turn.dataset, { messageId: message.id, role: message.role, state: message.state });
    turn.querySelector(".asked").textContent = message.content;
    turn.querySelector(".outbox")?.remove();
    if (this.#place(turn, message.parent_id)) this.refresh(message.id).catch(() => null);
  }

  start({ reply_id: id, parent_id: parent }) {
    let turn = this.find(id);
    if (!turn) {
      turn = this.#clone("reply-template");
      turn.id = `m-${id}`;
      turn.dataset.messageId = id;
      if (!this.#place(turn, parent)) return;
    }
    this.#follow(turn, 0);
  }

  /** The reply's state as the server knows it on connecting. */
  snapshot(reply) {
    const turn = this.find(reply.reply_id);
    if (!turn) return false;
    this.#follow(turn, reply.attempt);
    this.#live.end = reply.offset;
    this.#replace(0, reply.html);
    if (reply.reasoning) this.#reason(reply.reasoning, true);
    return true;
  }

  delta({ reply_id: id, attempt, offset, text, from, html }) {
    if (this.#live?.id !== id) {
      const turn = this.find(id);
      if (!turn) return;
      this.#follow(turn, attempt);
    }
    const live = this.#live;
    if (attempt < live.attempt) return;
    if (attempt > live.attempt) this.restart({ reply_id: id, attempt });
    const missing = from > live.blocks.children.length;
    if (missing || (offset > live.end && from > 0)) {
      if (!live.asked) this.#ask({ action: "resume", reply_id: id, attempt, after: missing ? 0 : live.end });
      live.asked = true;
      return;
    }
    const end = offset + codePoints(text);
    if (end < live.end) return;
    Object.assign(live, { end, asked: false });
    live.turn.dataset.state = "streaming";
    this.#replace(from, html);
  }

  reasoning({ reply_id: id, attempt, offset, text }) {
    const live = this.#live;
    if (live?.id !== id || attempt < live.attempt) return;
    if (attempt > live.attempt) this.restart({ reply_id: id, attempt });
    if (offset === live.thought) this.#reason(text);
  }

  restart({ reply_id: id, attempt }) {
    if (this.#live?.id !== id) return;
    Object.assign(this.#live, { attempt, end: 0, thought: 0 });
    this.#live.blocks.replaceChildren();
    const folded = this.#live.turn.querySelector(".reasoning");
    if (folded) { folded.hidden = true; folded.lastElementChild.textContent = ""; }
  }

  /** The finished reply, as the server would render it on a reload. */
  async finish(message) {
    if (this.#live?.id === message.id) {
      this.#replace(0, message.html);
      this.#live = null;
    }
    const turn = this.find(message.id);
    if (!turn) return this.reload();
    turn.dataset.state = message.state;
    turn.setAttribute("aria-busy", "false");
    turn.querySelector(".pulse")?.remove();
    return this.refresh(message.id);
  }

  async refresh(id) {
    const fresh = (await fragment(`/messages/${id}`)).firstElementChild;
    this.find(id)?.replaceWith(fresh);
    htmx.process(fresh);
  }

  #follow(turn, attempt) {
    turn.dataset.state = "streaming";
    turn.setAttribute("aria-busy", "true");
    const blocks = turn.querySelector("[data-blocks]");
    this.#live = { id: turn.dataset.messageId, turn, blocks, attempt, end: 0, thought: 0 };
  }

  #reason(text, whole = false) {
    const folded = this.#live.turn.querySelector(".reasoning");
    if (!folded) return;
    folded.hidden = false;
    if (whole) folded.lastElementChild.textContent = "";
    folded.lastElementChild.append(text);
    this.#live.thought = codePoints(folded.lastElementChild.textContent);
  }

  // The server has sanitised the blocks; nothing else is ever put here as HTML.
  #replace(from, html) {
    const { blocks } = this.#live;
    while (blocks.children.length > from) blocks.lastElementChild.remove();
    for (const block of html) {
      const part = document.createElement("div");
      part.dataset.block = "";
      part.innerHTML = block;
      blocks.append(part);
    }
  }

  // Below its parent, instead of whatever followed there: an edited question and a new answer begin a branch.
  #place(turn, parentId) {
    const parent = parentId && this.find(parentId);
    if (parentId && !parent) { turn.remove(); this.reload().catch(() => null); return false; }
    const later = [...this.#column.querySelectorAll(".turn")];
    for (const other of parent ? later.slice(later.indexOf(parent) + 1) : later) {
      if (other !== turn && other.dataset.state !== "unsent") other.remove();
    }
    if (parent) parent.after(turn);
    else this.#column.append(turn);
    return true;
  }

  #clone(id) { return document.getElementById(id).content.firstElementChild.cloneNode(true); }
}
