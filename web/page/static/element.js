/** What Daybook's elements have in common: attributes, a shadow root with its styles, a share in a connection, words, events. */
import { h, patch } from "./dom.js";
import { makeFormat } from "./format.js";
import { stateWords } from "./header.js";
import { join } from "./live.js";
import { placePopovers } from "./popovers.js";
import { loadWords } from "./words.js";

const WORDS_AGAIN_MS = 5_000;
/** Not written as one expression: a bundler would take it for a file to be copied. */
const HERE = import.meta.url;
const OWN = `
:host { display: block; background: none; color: var(--text); font: 14px/1.5 var(--sans); font-variant-numeric: tabular-nums; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }
.hints { display: none; }
`;

const sheets = new Map();
function sheetOf(text) {
  if (!sheets.has(text)) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(text);
    sheets.set(text, sheet);
  }
  return sheets.get(text);
}

/** Catalogues, by server and languages. */
const catalogues = new Map();
function wordsOf(base, languages) {
  const key = `${base} ${languages}`;
  if (!catalogues.has(key)) {
    const address = (name) => new URL(`static/${name}.json`, base);
    const loading = fetch(address("languages")).then((answer) => answer.json()).then((available) => loadWords(languages, available, (language) => address(`messages-${language}`)));
    loading.catch(() => catalogues.delete(key));
    catalogues.set(key, loading);
  }
  return catalogues.get(key);
}

export class DaybookElement extends HTMLElement {
  static observedAttributes = ["base-url", "view", "locale", "name", "documents", "number", "period", "from", "to"];
  /** Texts of style sheets. @type {string[]} */
  static styles = [];
  /** What is loaded beside the snapshot: "overview", "alerts". @type {string[]} */
  static needs = [];
  /** @type {import("./live.js").Live | null} */
  live = null;
  /** @type {any} */
  t = null;
  /** @type {any} */
  format = null;
  /** @type {HTMLElement} */
  content;
  /** @type {(() => string | Promise<string>) | undefined} */
  #getToken;
  /** @type {(item: any) => string | null} */
  #documentHref = (item) => item.url ?? null;
  /** @type {any} */
  #member = null;
  #formatOf = "";
  #planned = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const { styles } = /** @type {typeof DaybookElement} */ (this.constructor);
    root.adoptedStyleSheets = [...styles, OWN].map(sheetOf);
    this.content = document.createElement("div");
    this.content.part.add("content");
    root.append(this.content);
    root.addEventListener("click", (event) => this.#clicked(/** @type {MouseEvent} */ (event)));
    placePopovers(root);
  }

  /** Gives a token; asked again before it runs out and when it is refused. Without it the cookie is the credential. */
  get getToken() {
    return this.#getToken;
  }

  set getToken(getToken) {
    if (getToken === this.#getToken) return;
    this.#getToken = getToken;
    this.#again();
  }

  /** Where the host shows a document of a receipt; null where it does not. */
  get documentHref() {
    return this.#documentHref;
  }

  set documentHref(documentHref) {
    this.#documentHref = documentHref;
    this.draw();
  }

  connectedCallback() {
    // Set before the module was there, it would hide the property.
    for (const name of ["getToken", "documentHref"]) {
      if (!Object.hasOwn(this, name)) continue;
      const value = this[name];
      delete this[name];
      this[name] = value;
    }
    this.#again();
  }

  disconnectedCallback() {
    this.#leave();
  }

  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === "base-url") this.#again();
    else if (name === "locale" && this.#member) this.#speak(this.#member);
    else this.asked();
    this.draw();
  }

  /** Attributes that say what is shown have changed. */
  asked() {}

  /** What is shown. @param {any} _known @returns {any} */
  describe(_known) {
    return null;
  }

  /** More than the common news. @param {string} _kind @param {any} [_detail] @returns {void} */
  heard(_kind, _detail) {}

  /** A number was clicked: whoever listens shows its documents. */
  openDocuments(question) {
    this.tell("daybook-documents", question);
  }

  get baseUrl() {
    return new URL(this.getAttribute("base-url") || new URL("..", HERE), document.baseURI).href.replace(/\/?$/, "/");
  }

  get languages() {
    const locale = this.getAttribute("locale");
    return locale ? [locale] : navigator.languages;
  }

  /** Events cross shadow roots, so that one listener on the document hears them all. */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  draw() {
    if (this.#planned) return;
    this.#planned = true;
    requestAnimationFrame(() => {
      this.#planned = false;
      if (this.live && this.t && this.isConnected) this.#draw(this.live.known);
    });
  }

  #draw(held) {
    const { snapshot, status } = held;
    const about = snapshot && `${snapshot.currency} ${snapshot.timezone} ${this.languages}`;
    if (about && about !== this.#formatOf) {
      this.format = makeFormat(snapshot, this.languages);
      this.#formatOf = about;
    }
    const known = { ...held, t: this.t, format: this.format };
    const waiting = () => h("p", { class: "empty", role: "status", key: "waiting" }, stateWords(status, null, known)[1]);
    patch(this.content, snapshot ? this.describe(known) : (this.describeTrouble(known) ?? waiting()));
    this.content.lang = this.t.language;
  }

  /** What is shown while there are no numbers; null: the state in words. @param {any} _known @returns {any} */
  describeTrouble(_known) {
    return null;
  }

  /** Joins anew, once everything that a script sets at the same time is set. */
  #again() {
    this.#leave();
    if (!this.isConnected) return;
    const { needs } = /** @type {typeof DaybookElement} */ (this.constructor);
    const member = { needs, getToken: this.#getToken, told: (kind, detail) => this.#told(kind, detail) };
    this.#member = member;
    setTimeout(async () => {
      if (this.#member !== member) return;
      this.#speak(member);
      const live = await join(this.baseUrl, member);
      if (this.#member !== member) return live.leave(member);
      this.live = live;
      this.#told("status", live.known.status);
      if (live.known.snapshot) this.#told("snapshot", live.known.snapshot);
    });
  }

  #leave() {
    if (this.#member) this.live?.leave(this.#member);
    this.#member = null;
    this.live = null;
  }

  async #speak(member) {
    try {
      this.t = await wordsOf(this.baseUrl, this.languages);
    } catch {
      setTimeout(() => this.#member === member && this.#speak(member), WORDS_AGAIN_MS);
    }
    this.draw();
  }

  #told(kind, detail) {
    if (!this.live && kind !== "status") return;
    if (kind === "status") {
      this.dataset.state = detail.state;
      this.tell("daybook-state", detail);
    }
    if (kind === "snapshot") this.tell("daybook-update", detail);
    if (kind === "alert" && /** @type {typeof DaybookElement} */ (this.constructor).needs.includes("alerts")) this.tell("daybook-alert", detail);
    this.heard(kind, detail);
    this.draw();
  }

  /** Links to documents are the page's own addresses: here they must not touch the host's. */
  #clicked(event) {
    const link = /** @type {Element} */ (event.target).closest?.('a[href^="#documents/"]');
    if (!link) return;
    event.preventDefault();
    const [number, query = ""] = /** @type {string} */ (link.getAttribute("href")).slice("#documents/".length).split("?");
    this.openDocuments({ number, narrowed: Object.fromEntries(new URLSearchParams(query)) });
  }
}

/** Defines it once, however many copies of this module a page has. */
export function define(name, element) {
  if (!customElements.get(name)) customElements.define(name, element);
}
