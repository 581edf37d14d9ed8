// Drives the site with the AI SDK's own client and prints what that client ended up with, as JSON.
// Usage: node drive.mjs <ai|ai6> <scenario>, with URL, TOKEN, RELEASE and BODY in the environment.

const [packageName, scenario] = process.argv.slice(2);
const { AbstractChat, DefaultChatTransport, readUIMessageStream, safeValidateUIMessages, convertToModelMessages } =
  await import(packageName);
const { URL: site, TOKEN: token, RELEASE: releaseUrl } = process.env;
const body = JSON.parse(process.env.BODY ?? "{}");
const headers = { authorization: `Bearer ${token}` };
const api = `${site}/api/agent/chat`;

/** What `useChat` keeps in React's state, kept in an object. */
class PlainState {
  status = "ready";
  error = undefined;
  messages = [];
  constructor(messages) {
    this.messages = messages;
  }
  pushMessage = (message) => (this.messages = [...this.messages, message]);
  popMessage = () => (this.messages = this.messages.slice(0, -1));
  replaceMessage = (index, message) => (this.messages = this.messages.map((old, at) => (at === index ? message : old)));
  snapshot = (value) => structuredClone(value);
}

class Chat extends AbstractChat {
  constructor({ id, messages = [], ...options }) {
    const transport = new DefaultChatTransport({ api, headers, body });
    super({ id, transport, state: new PlainState(messages), ...options });
  }
}

const textOf = (message) => (message?.parts ?? []).filter((part) => part.type === "text").map((part) => part.text).join("");
const get = async (path) => (await fetch(`${site}${path}`, { headers })).json();
const post = async (path, data = {}) => {
  const response = await fetch(`${site}${path}`, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(data),
  });
  return response.json();
};
const release = () =>
  fetch(releaseUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: body.model, tokens: null }),
  });
const until = async (condition) => {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("waited 20 s in vain");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** How a stored message becomes one of the AI SDK's. */
function toUIMessage(message) {
  const parts = [];
  if (message.reasoning) parts.push({ type: "reasoning", text: message.reasoning, state: "done" });
  for (const source of message.sources) {
    const sourceId = source.passage_id ?? `source-${source.marker}`;
    parts.push({ type: "source-document", sourceId, mediaType: "text/plain", title: source.title });
  }
  if (message.sources.length) parts.push({ type: "data-sources", id: "sources", data: message.sources });
  parts.push({ type: "text", text: message.content, state: "done" });
  return { id: message.id, role: message.role, metadata: { state: message.state }, parts };
}

const scenarios = {
  /** One question straight through the transport. */
  async transport() {
    const transport = new DefaultChatTransport({ api, headers, body });
    const question = { id: "question-1", role: "user", parts: [{ type: "text", text: "What is gradient descent?" }] };
    const stream = await transport.sendMessages({ chatId: "a-chat", messages: [question], trigger: "submit-message" });
    const texts = [];
    let last;
    for await (const message of readUIMessageStream({ stream })) {
      last = message;
      texts.push(textOf(message));
    }
    return { last, grows: texts.every((text, at) => at === 0 || text.startsWith(texts[at - 1])) };
  },

  /** Two questions, then the second one asked in other words, and its answer given anew. */
  async conversation() {
    const chat = new Chat({ id: "my-chat" });
    await chat.sendMessage({ text: "First?" });
    await chat.sendMessage({ text: "Second?" });
    const two = chat.messages.map((message) => [message.role, textOf(message)]);
    const answered = chat.messages.at(-1).id;
    await chat.regenerate();
    const again = chat.messages.at(-1).id;
    await chat.regenerate({ messageId: again });
    const third = chat.messages.at(-1).id;
    await chat.sendMessage({ text: "Second, edited?", messageId: chat.messages[2].id });
    return { two, answered, again, third, status: chat.status, ended: chat.messages, error: chat.error?.message };
  },

  /** The page is left in mid-stream and opened again. */
  async rejoin() {
    const before = new Chat({ id: "left-chat" });
    const sending = before.sendMessage({ text: "Tell me." });
    await until(() => textOf(before.messages.at(-1)) && before.messages.at(-1)?.role === "assistant");
    await before.stop();
    await sending;
    const partial = textOf(before.messages.at(-1));
    const history = await get("/api/sessions/left-chat/messages");
    const messages = history.filter((message) => !["queued", "streaming"].includes(message.state)).map(toUIMessage);
    const after = new Chat({ id: "left-chat", messages });
    const resuming = after.resumeStream();
    await until(() => textOf(after.messages.at(-1)).startsWith(partial) && after.messages.at(-1)?.role === "assistant");
    await release();
    await resuming;
    const stored = await get("/api/sessions/left-chat/messages");
    const idle = await new DefaultChatTransport({ api, headers }).reconnectToStream({ chatId: "left-chat" });
    return { partial, joined: after.messages, stored, idle, count: after.messages.length };
  },

  /** The reply is stopped at the server while it streams. */
  async stop() {
    let finished;
    const chat = new Chat({ id: "stopped-chat", onFinish: (event) => (finished = event) });
    const sending = chat.sendMessage({ text: "Tell me." });
    await until(() => chat.messages.at(-1)?.role === "assistant" && textOf(chat.messages.at(-1)));
    const stopping = await post("/api/sessions/stopped-chat/stop");
    await sending;
    const stored = await get("/api/sessions/stopped-chat/messages");
    return { stopping, status: chat.status, last: chat.messages.at(-1), stored: stored.at(-1), isAbort: finished.isAbort };
  },

  /** A model that fails: the client must notice. */
  async failure() {
    let error;
    const chat = new Chat({ id: "failed-chat", onError: (problem) => (error = problem.message) });
    await chat.sendMessage({ text: "Tell me." });
    return { status: chat.status, error, last: chat.messages.at(-1) };
  },

  /** A refusal before any stream: the client shows the JSON of it. */
  async refusal() {
    let error;
    const chat = new Chat({ id: "x", onError: (problem) => (error = problem.message) });
    await chat.sendMessage({ text: "   " });
    return { status: chat.status, error };
  },

  async reasoning() {
    const chat = new Chat({ id: "thinking-chat" });
    await chat.sendMessage({ text: "Think." });
    return { last: chat.messages.at(-1) };
  },

  /** What is stored becomes messages that the AI SDK itself accepts, and a chat goes on from them. */
  async history() {
    const chat = new Chat({ id: "kept-chat" });
    await chat.sendMessage({ text: "What is gradient descent?" });
    const stored = await get("/api/sessions/kept-chat/messages");
    const messages = stored.map(toUIMessage);
    const valid = await safeValidateUIMessages({ messages });
    const forModel = await convertToModelMessages(messages);
    const opened = new Chat({ id: "kept-chat", messages });
    await opened.sendMessage({ text: "And then?" });
    return {
      valid: valid.success,
      forModel: forModel.length,
      ids: opened.messages.map((message) => message.id),
      stored: (await get("/api/sessions/kept-chat/messages")).map((message) => message.id),
    };
  },
};

console.log(JSON.stringify((await scenarios[scenario]()) ?? null));
