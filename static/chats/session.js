import { Composer } from "./composer.js";
import { Connection } from "./socket.js";
import { Draft, Outbox, newClientId } from "./outbox.js";
import { Scroll } from "./scroll.js";
import { Transcript } from "./transcript.js";
import { setTitle } from "../studybuddy/sidebar.js";
import { watchCopying } from "./copy.js";
import { watchSources } from "./sources.js";

// One conversation's page: what the server says goes to the transcript, what is written goes to the server.
const page = document.getElementById("main");
const column = document.getElementById("transcript");
const form = document.getElementById("composer");
const status = document.getElementById("connection");
const live = document.getElementById("announcer");
const id = page.dataset.session;

const outbox = new Outbox(id);
const connection = new Connection(page.dataset.socket);
const transcript = new Transcript(column, (action) => connection.send(action));
const scroll = form && new Scroll(document.getElementById("scroller"), column, document.getElementById("latest"));
const composer = form && new Composer(form, send); // none where an earlier part is read
watchCopying(column);
watchSources(column);

const announce = (text) => { live.textContent = text; };

function send(text) {
  if (transcript.running) return "The tutor is still answering. Your text stays here until it is done.";
  if (outbox.waiting) return "Your last message is still waiting to be sent.";
  if (connection.state === "signed-out" || connection.state === "gone") return NOTICES[connection.state];
  queue(text);
  return null;
}

function queue(text) {
  outbox.put({ client_id: newClientId(), text });
  flush();
}

/** Sends what waits; the server knows by its client_id whether it has it already. */
function flush() {
  const message = outbox.waiting;
  if (!message) return;
  transcript.addUnsent(message);
  scroll.toEnd();
  if (connection.send({ action: "send", ...message })) transcript.explain("Sending…");
  else {
    transcript.explain("Waiting for the connection. It will be sent by itself.");
    if (withoutSocket()) sendByForm(message);
  }
}

const withoutSocket = () => !connection.open && connection.failures > 2;

/** Where websockets don't get through, an ordinary request does. */
async function sendByForm(message) {
  const body = new FormData(form);
  body.set("text", message.text);
  body.set("client_id", message.client_id);
  const response = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } }).catch(() => null);
  if (!response || response.status >= 500) return; // it stays in the outbox
  if (response.ok) { outbox.clear(message.client_id); return poll(); }
  const plain = response.headers.get("Content-Type")?.startsWith("text/plain");
  refused(message.client_id, plain ? await response.text() : "This couldn't be sent. Your text is back below: try again.");
}

let polling;

async function poll() {
  await transcript.reload().catch(() => null);
  showRunning();
  clearTimeout(polling);
  if (transcript.running && withoutSocket()) polling = setTimeout(poll, 2000);
}

function refused(clientId, detail) {
  const message = outbox.waiting;
  if (message?.client_id !== clientId) return;
  outbox.clear(clientId);
  transcript.removeUnsent();
  composer.text = composer.text ? `${message.text}\n\n${composer.text}` : message.text;
  composer.say(detail, true);
}

function showRunning() { if (composer) composer.running = Boolean(transcript.running); }

const handlers = {
  async ready({ session, reply }) {
    if (!transcript.agrees(session)) await transcript.reload();
    if (reply && !transcript.snapshot(reply)) await transcript.reload();
    handlers["session.updated"]({ session });
    flush();
  },
  ack({ client_id: clientId, message }) {
    outbox.clear(clientId);
    transcript.add(message, clientId);
  },
  message({ message }) { if (message.role === "user") transcript.add(message); },
  "reply.started"(event) {
    transcript.start(event);
    announce("The tutor is answering.");
  },
  "reply.delta"(event) { transcript.delta(event); },
  "reply.reasoning"(event) { transcript.reasoning(event); },
  "reply.restarted"(event) {
    transcript.restart(event);
    announce("The answer was interrupted and starts again.");
  },
  async "reply.finished"({ message }) {
    await transcript.finish(message);
    announce(message.state === "complete" ? `The tutor has answered. ${message.content.slice(0, 400)}` : "The answer has ended.");
  },
  async "session.updated"({ session, head_id: head }) {
    if (session.session_name) setTitle(id, session.session_name);
    if (!transcript.endsWith(head)) await transcript.reload();
  },
  error({ detail, client_id: clientId }) {
    if (clientId && outbox.waiting?.client_id === clientId) refused(clientId, detail);
    else composer.say(detail, true);
  },
};

// One at a time: a reload that an event starts is over before the next event is applied.
let queueOfEvents = Promise.resolve();
connection.addEventListener("frame", ({ detail: event }) => {
  const handler = handlers[event.type];
  if (handler) queueOfEvents = queueOfEvents.then(() => handler(event)).catch(console.warn).then(showRunning);
});

const NOTICES = {
  "signed-out": "You have been signed out. Sign in again in another tab and reload: your text is kept here.",
  gone: "This chat isn't here any more. Your text is kept: copy it to a new chat.",
};
connection.addEventListener("state", ({ detail: state }) => {
  status.hidden = state !== "waiting";
  if (NOTICES[state]) composer.say(NOTICES[state], true);
  if (state !== "waiting") return;
  flush();
  if (withoutSocket() && transcript.running) poll();
});

// Forms work by themselves; with a socket they needn't leave the page.
page.addEventListener("submit", (event) => {
  const sent = event.target;
  const { act } = event.submitter?.dataset ?? {};
  if (sent.matches("[data-ask]")) {
    event.preventDefault();
    const reason = send(sent.elements.text.value);
    if (reason) composer.say(reason, true);
  } else if (act === "edit") {
    const action = { action: "edit", message_id: sent.dataset.message, text: sent.elements.text.value, client_id: newClientId() };
    if (sent.elements.text.value.trim() && connection.send(action)) event.preventDefault();
  } else if (act && connection.send({ action: act, message_id: sent.dataset.message })) {
    event.preventDefault();
  }
});

addEventListener("keydown", (event) => {
  if (event.isComposing || document.querySelector("dialog[open], :popover-open")) return;
  if (event.key === "Escape" && event.shiftKey) composer.focus();
  else if (event.key === "Escape" && transcript.running && !event.defaultPrevented) connection.send({ action: "stop" });
});

document.body.addEventListener("htmx:afterSwap", showRunning);
const posted = JSON.parse(sessionStorage.getItem("studybuddy.posted") ?? "null");
if (posted && [...column.querySelectorAll(".asked")].some((asked) => asked.textContent.trim() === posted.text.trim())) {
  sessionStorage.removeItem("studybuddy.posted");
  if (new Draft(posted.draft).text === posted.text) new Draft(posted.draft).text = "";
}
const waiting = outbox.waiting;
if (waiting) transcript.addUnsent(waiting);
showRunning();
if (form) connection.connect();
if (form && matchMedia("(pointer: fine)").matches && !location.hash) composer.focus();
