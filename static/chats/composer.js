import { Draft } from "./outbox.js";

// Where a question is written: Enter sends, Shift+Enter breaks, and no text is ever lost on the way.
const SHOW_LIMIT_FROM = 0.9;

export class Composer {
  #form; #field; #note; #draft; #limit; #send;

  /** `send(text)` returns null, or why it can't be sent now; then the text stays. */
  constructor(form, send) {
    this.#form = form;
    this.#field = form.querySelector("textarea");
    this.#note = form.querySelector("[data-note]");
    this.#draft = new Draft(form.dataset.draft);
    this.#limit = Number(form.dataset.limit);
    this.#send = send;
    if (!this.#field.value) this.#field.value = this.#draft.text;
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#key(event));
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#grow();
  }

  get text() { return this.#field.value; }

  set text(value) {
    this.#field.value = value;
    this.#changed();
  }

  focus() { this.#field.focus(); }

  /** Shows the stop button instead of the send button. */
  set running(on) {
    this.#form.querySelector("[data-send]").hidden = on;
    this.#form.querySelector("[data-stop]").hidden = !on;
  }

  say(text, warn = false) {
    this.#note.textContent = text;
    this.#note.classList.toggle("warn", warn);
  }

  #key(event) {
    // 229 is what an input method reports while it composes, in browsers that say isComposing too late.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    if (matchMedia("(pointer: coarse)").matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#form.requestSubmit(this.#form.querySelector("[data-send]"));
  }

  #submit(event) {
    if (event.submitter && !event.submitter.matches("[data-send]")) return;
    const text = this.#field.value;
    const reason = !text.trim() ? "Write a question first." : this.#tooLong(text) || this.#send(text, event);
    if (reason === undefined) return; // the form goes its ordinary way
    event.preventDefault();
    if (reason) return this.say(reason, true);
    this.text = "";
    this.say("");
  }

  #tooLong(text) {
    const over = text.length - this.#limit;
    return over > 0 ? `This is ${over.toLocaleString()} characters too long. Shorten it or send it in parts.` : "";
  }

  #changed() {
    const { length } = this.#field.value;
    this.#draft.text = this.#field.value;
    const left = this.#limit - length;
    if (left < 0) this.say(this.#tooLong(this.#field.value), true);
    else this.say(length > this.#limit * SHOW_LIMIT_FROM ? `${left.toLocaleString()} characters left` : "");
    this.#grow();
  }

  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.#field.style.height = "auto";
    this.#field.style.height = `${this.#field.scrollHeight}px`;
  }
}
