/** The documents behind a number, and what moved it: read by `view` of app.js into a dialog. */
import { whatFor } from "./cash.js";
import { h } from "./dom.js";
import { named, percentChange, receiptHref, unconverted } from "./figure.js";
import { icon } from "./marks.js";

/** Those that are compared with a time before, by whether it is days or how yesterday ended. */
const DAYS_BEFORE = new Set(["daily-revenue", "daily-expenses", "cash-flow", "quote-conversion", "client-activity", "revenue", "expenses", "profit", "money-in", "money-out"]);
const CLOSED = new Map([["pending-invoices", "Pending Invoices"], ["overdue-invoices", "Overdue Invoices"], ["outstanding", null]]);
/** Whether more of it is good; of the others nobody can say. */
const RISING = { "daily-revenue": true, "daily-expenses": false, "cash-flow": true, "overdue-invoices": false, revenue: true, expenses: false, profit: true, "money-in": true, "money-out": false };

/** What an address asks for, null where it asks for no documents. */
export function questionOf(hash) {
  const found = /^#documents\/([a-z-]+)(?:\?(.*))?$/.exec(hash);
  return found && { number: found[1], narrowed: Object.fromEntries(new URLSearchParams(found[2] ?? "")) };
}

/** What moved the number that is asked for; null where it is compared with nothing, and of the changes themselves. */
export function changesOf({ number, narrowed }) {
  if (narrowed.changes || !(DAYS_BEFORE.has(number) || CLOSED.has(number))) return null;
  return { number, narrowed: { ...narrowed, changes: "true" } };
}

/** `receipt`: {question, answer, items, changes, problem}, where `changes` is the answer of what moved the number. @param {import("./known.js").Known} known */
export function receipt(known) {
  const { receipt: shown, t, actions } = known;
  if (!shown) return null;
  return [
    h(
      "header",
      { key: "head" },
      h("div", {}, h("h2", { id: "receipt-title", tabindex: "-1" }, title(shown.question, t)), h("p", { class: "note" }, against(shown, known))),
      h("button", { type: "button", class: "round", title: t("close"), onclick: actions.closeReceipt }, icon("close"), h("span", { class: "hidden" }, t("close"))),
    ),
    shown.problem && h("p", { class: "notice", key: "problem", role: "alert" }, problemText(shown.problem, t)),
    !shown.answer && !shown.problem && h("p", { class: "wait", key: "wait", role: "status" }, t("receipt.wait")),
    shown.answer && documents(shown, known),
  ];
}

function title({ number, narrowed }, t) {
  const name = t.has(`receipt.${number}`) ? t(`receipt.${number}`) : number;
  const about = narrowed.bucket ? t(`bucket.${narrowed.bucket}`) : narrowed.category ?? narrowed.currency;
  const whole = about ? `${name}: ${about}` : name;
  return narrowed.changes ? t("receipt.moved-of", { number: whole }) : whole;
}

/** The days that it is about; of changes with those before: "Nov 1 – 25 against Oct 1 – 25". */
function against({ question, answer }, known) {
  const now = when(question, known);
  return answer?.before ? known.t("period.against", { now, before: whenBefore(question, answer, known) }) : now;
}

function when({ number, narrowed }, { overview, snapshot, t, format }) {
  const period = overview?.periods?.find(({ name }) => name === narrowed.period);
  const { from, to } = period ?? narrowed;
  if (from && to) return from === to ? format.dayLong(from) : format.range(from, to, true);
  if (narrowed.period) return t(`period.${narrowed.period}`);
  return number.startsWith("daily-") || number === "cash-flow" ? format.dayLong(snapshot.local_date) : t("receipt.now");
}

function whenBefore({ number }, { before: { from, to } }, { t, format }) {
  if (CLOSED.has(number)) return t("receipt.close");
  return from === to ? format.dayLong(from) : format.range(from, to, true);
}

function problemText(problem, t) {
  if (problem.status === 404) return t("receipt.not-shown");
  return problem.status === 400 ? problem.detail || t("receipt.failed") : t("receipt.failed");
}

function documents(shown, known) {
  const { t, format, actions } = known;
  const { answer, items, question } = shown;
  return h(
    "div",
    { class: "documents", key: "documents" },
    h(
      "p",
      { class: "figure" },
      h("strong", {}, amountText(answer, answer.before ? format.signedMoney : format.money, t)),
      h("span", {}, t("documents", { count: answer.count })),
      h("a", { class: "csv", href: actions.csvHref(question), download: "", onclick: actions.csv }, t("receipt.csv")),
    ),
    unconverted(answer.unconverted, known),
    moved(shown, known),
    items.length === 0 ? h("p", { class: "empty" }, t("receipt.none")) : table(items, known),
    answer.next && h("button", { type: "button", class: "next", onclick: actions.moreDocuments }, t("receipt.more")),
    h("p", { class: "small" }, t("receipt.as-of", { time: format.timeExact(answer.as_of), version: answer.version })),
  );
}

function amountText({ total }, inWords, t) {
  return total === null ? t("not-known") : inWords(total);
}

/** What moved it: what the documents came to before, those that are in, out or changed since, and their sum. */
function moved({ question, answer, changes: asked }, known) {
  const changes = answer.before ? answer : asked;
  // Two versions do not add up.
  if (!changes || changes.version !== answer.version) return null;
  const { t, format } = known;
  const { moved: parts, before } = changes;
  const percent = changes.total === null || !before.total ? null : (100 * changes.total) / Math.abs(before.total);
  const line = (name, of, inWords) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, t("documents", { count: of.count })), h("dd", {}, h("b", {}, amountText(of, inWords, t))));
  const kinds = ["in", "out", "changed"].filter((kind) => kind !== "changed" || parts.changed.count);
  const { changes: _, ...narrowed } = question.narrowed;
  return h(
    "section",
    { class: "moved", "aria-label": t("receipt.moved") },
    h("h3", {}, t("receipt.moved")),
    h(
      "dl",
      {},
      line(t("receipt.before", { before: whenBefore(question, changes, known) }), before, format.money),
      kinds.map((kind) => line(t(`moved.${kind}`), parts[kind], format.signedMoney)),
      h("div", { key: "change", class: "sum" }, h("dt", {}, t("receipt.change")), h("dd", {}, percentChange(percent, RISING[question.number] ?? null, known)), h("dd", {}, h("b", {}, amountText(changes, format.signedMoney, t)))),
      beside(question, answer, before, known),
    ),
    closedOtherwise(question, before, known),
    answer.before
      ? h("a", { href: receiptHref(question.number, narrowed) }, t("receipt.whole"))
      : changes.count > 0 && h("a", { href: receiptHref(question.number, { ...narrowed, changes: "true" }) }, t("receipt.changes")),
  );
}

/** The ratio or the number of clients that the documents stand for, with that of the time before; the invoices are counted already. */
function beside({ number }, answer, before, { t, format }) {
  if (before.value === undefined || CLOSED.has(number)) return null;
  const isKnown = answer.value !== null && before.value !== null;
  const now = isKnown && answer.before ? before.value + answer.value : answer.value;
  const text = (value) => (value === null ? t("not-known") : number === "quote-conversion" ? format.percent(value) : format.count(value));
  const values = isKnown || !answer.before ? t("period.against", { now: text(now), before: text(before.value) }) : t("not-known");
  return h("div", { key: "beside" }, h("dt", {}, t(`metric.${number}`)), h("dd", {}, h("b", {}, values)));
}

/** Documents can be entered or changed for a day that is over: then yesterday's close was another than they tell now. */
function closedOtherwise({ number }, before, { snapshot, t, format }) {
  const kept = snapshot.metrics?.find(({ name }) => name === CLOSED.get(number))?.previous ?? null;
  if (before.value === undefined || kept === null || kept === before.count) return null;
  return h("p", { class: "small" }, t("receipt.closed-otherwise", { kept: format.count(kept), count: format.count(before.count) }));
}

function table(items, { t, format, documentHref }) {
  return h(
    "table",
    {},
    h("caption", { class: "hidden" }, t("receipt.documents")),
    h("thead", {}, h("tr", {}, ["document", "who", "date", "due", "amount"].map((name) => h("th", { key: name, scope: "col" }, t(`column.${name}`))))),
    h("tbody", {}, items.map((item, index) => row(item, index, { t, format, documentHref }))),
  );
}

function row(item, index, { t, format, documentHref }) {
  const { kind, id, reference, date, due_date: due, amount, currency, base_amount: base, moved: move } = item;
  const kinds = t.has(`kind.${kind}`) ? t(`kind.${kind}`) : kind;
  const href = documentHref(item);
  const label = reference ?? id ?? kinds;
  const about = whatFor({ ...item, reference: null, id: null }, t);
  const foreign = currency && currency !== format.currency;
  return h(
    "tr",
    { key: `${kind} ${id} ${index}`, class: base === null ? "left-out" : null },
    h("th", { scope: "row" }, href ? h("a", { href, target: "_blank", rel: "noopener" }, named(label)) : named(label), h("small", {}, kinds)),
    h("td", { class: "who" }, about !== kinds && named(about), item.category && item.category !== about && h("small", {}, item.category)),
    h("td", { class: "date" }, date && format.dayYear(date)),
    h("td", { class: "date until" }, due && h("span", {}, h("span", { class: "only-narrow" }, `${t("column.due")} `), format.dayYear(due))),
    h("td", { class: "sum" }, h("b", {}, base === null ? t("no-rate") : (move ? format.signedMoney : format.money)(base)), move && h("small", { class: "move" }, t(`moved.${move}`)), (foreign || base === null) && h("small", {}, format.money(amount, currency))),
  );
}
