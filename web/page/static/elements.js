/** Daybook's elements: `<daybook-dashboard>`, `<daybook-alerts>`, `<daybook-receipt>`, and with metric.js `<daybook-metric>`. */
import "./chart.js";
import "./metric.js";
import { alerts } from "./alerts.js";
import { announcementsOf, dismissAnnouncement, keepAnnouncement } from "./announcements.js";
import { Aside } from "./aside.js";
import { Documents, shortLists } from "./documents.js";
import { h, patch } from "./dom.js";
import { DaybookElement, define } from "./element.js";
import { age, state, stateWords } from "./header.js";
import { coalesced } from "./loads.js";
import { FIRST_CHOICE } from "./period.js";
import { receipt } from "./receipt.js";
import { styles } from "./styles.js";
import { Toast } from "./toast.js";
import { trouble } from "./trouble.js";
import { dashboard } from "./view.js";

/** A worker makes the lists: less often than there are versions. */
const LISTS_EVERY_MS = 30_000;
const NARROWED = { period: "period", from: "from", to: "to", bucket: "bucket", category: "category", currency: "currency", "client-id": "client_id" };
const OWN = `
:host { position: relative; }
.content { display: grid; grid-template-columns: minmax(0, 1fr); gap: var(--gap); }
.bar { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 4px 12px; }
.inline { container-type: inline-size; }
:host([number]) .inline .round { display: none; }
`;

/** Alerts that can be put aside, and announcements: what dashboard and alerts share. */
class WithAlerts extends DaybookElement {
  static styles = [...styles, OWN];
  static needs = ["alerts"];
  announcements = /** @type {any[]} */ ([]);
  actions = /** @type {Record<string, any>} */ ({});
  #toast;
  #aside;

  constructor() {
    super();
    const toast = Object.assign(document.createElement("div"), { id: "toast", role: "alert" });
    this.shadowRoot?.append(toast);
    this.content.className = "content";
    this.#toast = new Toast(toast);
    this.#aside = new Aside(this.#toast, () => this.draw(), (problem) => this.complain(problem));
    const put = (ids, into, send) => this.#aside.put(ids, into, send, this.t);
    this.actions = {
      acknowledge: (ids) => put(ids, "acknowledged", (id) => this.live?.client.acknowledge(id)),
      snooze: (ids, minutes) => put(ids, "snoozed", (id) => this.live?.client.snooze(id, { minutes })),
      dismiss: (id) => {
        this.announcements = dismissAnnouncement(this.live?.known.snapshot.user_id, id);
        this.draw();
      },
      retry: () => this.live?.client.retry(),
      copy: (text) => navigator.clipboard?.writeText(text),
    };
  }

  heard(kind, detail) {
    if (kind === "snapshot") this.announcements = announcementsOf(detail.user_id);
    if (kind !== "alert" || detail.type !== "notification.new") return;
    this.announcements = keepAnnouncement(this.live?.known.snapshot?.user_id, detail);
    this.#toast.show(detail.message);
  }

  /** @param {any} known */
  complete(known) {
    return {
      ...known, announcements: this.announcements, stored: known.stored && this.#aside.apply(known.stored), actions: this.actions,
      documentHref: this.documentHref, signInHref: "",
    };
  }

  complain({ detail, title, requestId }) {
    this.#toast.show([detail || title, requestId && `(${this.t("request")} ${requestId})`].filter(Boolean).join(" "));
  }
}

class Alerts extends WithAlerts {
  describe(known) {
    return alerts(this.complete(known));
  }
}

/** `view`: which parts are shown, by their names; all of them where it is missing. */
class Dashboard extends WithAlerts {
  static needs = ["alerts", "overview"];
  #period = FIRST_CHOICE;
  #lists = /** @type {any} */ ({});
  #tenant = "";
  #dialog;
  #documents;
  #tick = /** @type {any} */ (null);

  constructor() {
    super();
    this.#documents = new Documents((number, query) => this.live?.client.receipt(number, query), () => this.draw());
    this.#dialog = Object.assign(document.createElement("dialog"), { className: "receipt" });
    this.#dialog.setAttribute("aria-labelledby", "receipt-title");
    this.#dialog.addEventListener("close", () => this.#documents.shown && this.#documents.close());
    this.shadowRoot?.append(this.#dialog);
    Object.assign(this.actions, {
      choosePeriod: (name) => {
        this.#period = name;
        this.draw();
      },
      ...receiptActions(() => this.live?.client, this.#documents, () => this.#dialog.close(), (problem) => this.complain(problem)),
    });
  }

  connectedCallback() {
    super.connectedCallback();
    // The age counts on by itself, while somebody looks.
    this.#tick = setInterval(() => document.visibilityState === "visible" && this.draw(), 1_000);
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    clearInterval(this.#tick);
  }

  openDocuments(question) {
    super.openDocuments(question);
    // A link from one list to another is gone once it was followed.
    if (this.#documents.shown) /** @type {HTMLElement | null} */ (this.#dialog.querySelector("#receipt-title"))?.focus();
    this.#documents.open(question);
  }

  heard(kind, detail) {
    super.heard(kind, detail);
    if (kind !== "snapshot") return;
    if (detail.user_id !== this.#tenant) {
      this.#tenant = detail.user_id;
      this.#lists = {};
      this.#documents.close();
    }
    this.#documents.refresh();
    if (detail.state !== "no_data") this.#loadLists();
  }

  #loadLists = coalesced(async () => {
    const { live } = this;
    if (!live) return;
    const lists = await shortLists((number, query) => live.client.receipt(number, query), live.known.snapshot.local_date, this.#lists);
    if (this.live === live) this.#lists = lists;
    this.draw();
  }, LISTS_EVERY_MS);

  describe(known) {
    const view = this.getAttribute("view");
    const all = { ...this.complete(known), chosenPeriod: this.#period, lists: this.#lists, parts: view ? new Set(view.split(/[\s,]+/)) : null };
    const { status, snapshot } = all;
    patch(this.#dialog, receipt({ ...all, receipt: this.#documents.shown }));
    if (this.#documents.shown && !this.#dialog.open) this.#dialog.showModal();
    if (!this.#documents.shown && this.#dialog.open) this.#dialog.close();
    const words = /** @type {[string, string]} */ (stateWords(status, snapshot, all));
    return [h("div", { class: "bar", part: "bar", key: "bar" }, h("div", { role: "status" }, state(words, "")), h("span", {}, age(snapshot, this.live?.client.now(), all))), ...dashboard(all)];
  }

  describeTrouble(known) {
    return known.status.state === "connecting" ? null : trouble(this.complete(known));
  }
}

/** The documents behind `number`; without it, those that another element of the document is asked for. */
class Receipt extends DaybookElement {
  static styles = [...styles, OWN];
  #documents = new Documents((number, query) => this.live?.client.receipt(number, query), () => this.#changed());
  #listening = new AbortController();
  #tenant = "";
  #actions = receiptActions(() => this.live?.client, this.#documents, () => this.#documents.close(), (problem) => this.tell("daybook-problem", problem));

  connectedCallback() {
    super.connectedCallback();
    this.#listening = new AbortController();
    document.addEventListener("daybook-documents", (event) => !this.hasAttribute("number") && this.#open(/** @type {CustomEvent} */ (event).detail), { signal: this.#listening.signal });
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#listening.abort();
  }

  asked() {
    const number = this.getAttribute("number");
    if (!number || !this.live?.known.snapshot) return;
    const narrowed = Object.entries(NARROWED).map(([attribute, name]) => [name, this.getAttribute(attribute)]);
    this.#open({ number, narrowed: Object.fromEntries(narrowed.filter(([, value]) => value !== null)) });
  }

  heard(kind, detail) {
    if (kind !== "snapshot") return;
    if (detail.user_id !== this.#tenant) this.#documents.close();
    this.#tenant = detail.user_id;
    if (this.#documents.shown) this.#documents.refresh();
    else this.asked();
  }

  openDocuments(question) {
    this.#open(question);
  }

  describe(known) {
    const { shown } = this.#documents;
    return shown && h("section", { class: "receipt inline", part: "receipt", "aria-labelledby": "receipt-title" }, receipt({ ...known, receipt: shown, actions: this.#actions, documentHref: this.documentHref }));
  }

  #open(question) {
    if (this.live?.known.snapshot) this.#documents.open(question);
  }

  #changed() {
    const { problem } = this.#documents.shown ?? {};
    if (problem) this.tell("daybook-problem", problem);
    this.dataset.state = problem ? "error" : (this.live?.known.status.state ?? "connecting");
    this.draw();
  }
}

function receiptActions(client, documents, close, complain) {
  return {
    closeReceipt: close,
    moreDocuments: () => documents.more(),
    csvHref: ({ number, narrowed }) => client()?.receiptAddress(number, narrowed),
    csv: async (event) => {
      if (!client()?.usesToken) return;
      event.preventDefault();
      const { number, narrowed } = documents.shown.question;
      try {
        const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await client().receiptCsv(number, narrowed)), download: `${number}${narrowed.changes ? "-changes" : ""}.csv` });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      } catch (problem) {
        complain(problem);
      }
    },
  };
}

define("daybook-alerts", Alerts);
define("daybook-dashboard", Dashboard);
define("daybook-receipt", Receipt);
