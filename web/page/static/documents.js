/** The receipt that is open: loads its documents page by page, and what moved its number. And the short lists of the page. */
import { plusDays } from "./format.js";
import { DAYS } from "./moves.js";
import { changesOf } from "./receipt.js";

/** Of a short list, so many pages are read at most. */
const PAGES = 4;

export class Documents {
  /** What `receipt` shows; null while none is open. @type {any} */
  shown = null;
  #load;
  #changed;

  /** `load(number, query)` gives one page of a receipt; `changed()` is called when there is something new to draw. */
  constructor(load, changed) {
    this.#load = load;
    this.#changed = changed;
  }

  async open(question) {
    this.shown = { question, answer: null, items: [], changes: null, problem: null };
    this.#changed();
    await this.#read(this.shown);
  }

  close() {
    this.shown = null;
    this.#changed();
  }

  /** A newer version is there: the documents again, unless somebody has read on beyond the first page. */
  async refresh() {
    const { shown } = this;
    if (shown?.answer && shown.items.length === shown.answer.items.length) await this.#read(shown);
  }

  async more() {
    const { shown } = this;
    if (!shown?.answer?.next) return;
    await this.#fill(shown, Object.fromEntries(new URL(shown.answer.next, location.href).searchParams), shown.items);
  }

  async #read(shown) {
    await this.#fill(shown);
    const question = changesOf(shown.question);
    if (!question || !shown.answer || shown.changes?.version === shown.answer.version) return;
    try {
      shown.changes = await this.#load(question.number, question.narrowed);
    } catch {
      return; // The documents stand without what moved them.
    }
    if (this.shown === shown) this.#changed();
  }

  async #fill(shown, query = shown.question.narrowed, items = []) {
    try {
      const answer = await this.#load(shown.question.number, query);
      if (items.length && answer.version !== shown.answer.version) return await this.#fill(shown); // Pages of two versions do not add up.
      shown.answer = answer;
      shown.items = [...items, ...answer.items];
      shown.problem = null;
    } catch (problem) {
      shown.problem = problem;
    }
    if (this.shown === shown) this.#changed();
  }
}

/** All documents of a number, as far as a few pages reach; null where the server does not show them. */
export async function listOf(load, number, narrowed = {}) {
  const items = [];
  let query = narrowed;
  let version = null;
  for (let page = 0; page < PAGES && query; page += 1) {
    const answer = await load(number, query);
    if (items.length && answer.version !== version) {
      items.length = 0;
      query = narrowed;
      continue;
    }
    version = answer.version;
    items.push(...answer.items);
    query = answer.next && Object.fromEntries(new URL(answer.next, location.href).searchParams);
  }
  return items;
}

/** What is due and what came in lately; a list that cannot be had stays as it was `before`, or null. */
export async function shortLists(load, today, before) {
  const list = (name, number, narrowed) => listOf(load, number, narrowed).catch(() => before[name] ?? null);
  const [due, incoming] = await Promise.all([list("due", "forecast"), list("incoming", "money-in", { from: plusDays(today, 1 - DAYS), to: today })]);
  return { due, incoming };
}
