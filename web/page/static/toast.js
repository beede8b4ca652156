/** A line at the bottom of the window that goes by itself, with one thing to do about it where there is one. */
import { h, patch } from "./dom.js";

const SHOWN_MS = 6_000;

export class Toast {
  #element;
  /** @type {number | undefined} */
  #timer;
  /** @type {(() => void) | null} */
  #after = null;

  constructor(element) {
    this.#element = element;
    addEventListener("pagehide", () => this.#end());
  }

  /**
   * `after` runs when the time is over and the action was not taken.
   * @param {string} text @param {{name: string, run: () => void} | null} action @param {(() => void) | null} after
   */
  show(text, action = null, after = null) {
    this.#end();
    this.#after = after;
    const take = () => {
      this.#after = null;
      this.#end();
      action?.run();
    };
    patch(this.#element, [h("span", { key: text }, text), action && h("button", { type: "button", key: "action", onclick: take }, action.name)]);
    this.#wait();
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      // Not from under somebody's pointer or keyboard.
      if (this.#element.matches(":hover, :focus-within")) this.#wait();
      else this.#end();
    }, SHOWN_MS);
  }

  #end() {
    clearTimeout(this.#timer);
    patch(this.#element, []);
    const after = this.#after;
    this.#after = null;
    after?.();
  }
}
