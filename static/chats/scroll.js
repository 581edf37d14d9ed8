// Stays with the reply only while one is at the end; otherwise what one reads stays where it is.
const NEAR = 56; // pixels from the end that still count as the end

export class Scroll {
  #scroller; #button; #anchor = null; #top = 0;
  pinned = true;

  constructor(scroller, column, button) {
    this.#scroller = scroller;
    this.#button = button;
    // The scroller is column-reverse: 0 is its end, and above it are negative numbers.
    scroller.addEventListener("scroll", () => this.#look(), { passive: true });
    button.addEventListener("click", () => this.toEnd());
    const watch = new ResizeObserver(() => this.#settle());
    watch.observe(column);
    watch.observe(scroller);
    this.#look();
  }

  toEnd() {
    this.pinned = true;
    this.#scroller.scrollTo({ top: 0, behavior: "instant" });
  }

  #look() {
    this.pinned = this.#scroller.scrollTop > -NEAR;
    this.#button.hidden = this.pinned;
    const { left, width, top } = this.#scroller.getBoundingClientRect();
    this.#anchor = document.elementFromPoint(left + width / 2, top + 90)?.closest(".turn") ?? null;
    this.#top = this.#anchor?.getBoundingClientRect().top ?? 0;
  }

  #settle() {
    if (this.pinned) this.toEnd();
    else if (this.#anchor?.isConnected) {
      this.#scroller.scrollTop += this.#anchor.getBoundingClientRect().top - this.#top;
    }
    this.#look();
  }
}
