/** The eight metrics as cards: value, change, sparkline, money left out, and on demand how far to trust them. */
import { h } from "./dom.js";
import { sparkline, trendShape } from "./marks.js";

/** By metric: what it is compared with, what it means, and its line of past days (from the overview). */
const METRICS = {
  "Daily Revenue": {
    against: "yesterday",
    what: { accrual: "Invoices issued today less credit notes, without tax.", cash: "Payments received today less refunds, without tax." },
    line: ({ series }) => series.map((day) => day.revenue),
  },
  "Daily Expenses": {
    against: "yesterday",
    what: { accrual: "Expenses dated today, without tax.", cash: "Expenses paid today, without tax." },
    line: ({ series }) => series.map((day) => day.expenses),
  },
  "Daily Profit": {
    against: "yesterday",
    what: { accrual: "Revenue less expenses.", cash: "Revenue less expenses." },
    line: ({ series }) => series.map((day) => (day.revenue === null || day.expenses === null ? null : day.revenue - day.expenses)),
  },
  "Cash Flow": {
    against: "yesterday",
    what: both("Money in less money out today, tax included."),
    line: ({ series }) => series.map((day) => day.cash),
  },
  "Pending Invoices": {
    against: "yesterday’s close",
    what: both("Open invoices that are not yet due."),
    line: ({ history }, now) => [...history.map((day) => day.pending), now],
  },
  "Overdue Invoices": {
    against: "yesterday’s close",
    what: both("Open invoices whose due date has passed."),
    line: ({ history }, now) => [...history.map((day) => day.overdue), now],
  },
  "Quote Conversion": {
    against: "the 90 days before",
    what: both("Share of the quotes decided in 90 days that were won."),
    line: ({ history }, now) => [...history.map((day) => day.conversion), now],
  },
  "Client Activity": {
    against: "the 30 days before",
    what: both("Clients who were invoiced, paid or accepted a quote in 30 days."),
    line: ({ history }, now) => [...history.map((day) => day.active_clients), now],
  },
};

const REASONS = {
  partial_day: "Today is not over, so it is not called down yet: it is compared with the whole of yesterday.",
  allocations_unknown: "The books hold balances, but nothing says which payments paid for which invoices.",
};

export function cards({ snapshot, overview, format, changed }) {
  return h("section", { class: "cards", "aria-labelledby": "cards-title" }, h("h2", { id: "cards-title", class: "hidden" }, "Today’s numbers"), snapshot.metrics.map((metric) => card(metric, snapshot, overview, format, changed)));
}

function card(metric, snapshot, overview, format, changed) {
  const about = METRICS[metric.name];
  const id = metric.name.toLowerCase().replaceAll(" ", "-");
  const line = about && overview ? about.line(overview, metric.value) : [];
  return h(
    "article",
    { class: `card ${tone(metric)}`, key: metric.name, "aria-labelledby": id, "data-metric": metric.name, "data-changed": changed.has(metric.name) },
    h("header", {}, h("h3", { id }, metric.name), confidenceButton(metric, id, format)),
    h("p", { class: "value" }, value(metric, format), amount(metric, format)),
    change(metric, about, format),
    unconverted(metric.unconverted, format),
    sparkline(line),
    explanation(metric, id, about, snapshot, format),
  );
}

function value({ value, unit }, format) {
  if (value === null) return h("span", { class: "none" }, "—", h("span", { class: "hidden" }, "no value"));
  if (unit === "count") return h("span", { class: "number" }, format.count(value));
  if (unit === "ratio") return h("span", { class: "number" }, format.percent(value));
  const minor = (part) => part.type === "decimal" || part.type === "fraction";
  return h("span", { class: "number" }, format.moneyParts(value).map((part, index) => (minor(part) ? h("span", { class: "minor", key: index }, part.value) : part.value)));
}

function amount({ amount }, format) {
  if (amount === undefined) return null;
  return h("span", { class: "amount" }, amount === null ? "—" : format.money(amount));
}

function change(metric, about, format) {
  const against = about?.against ?? "before";
  if (metric.change === null) return h("p", { class: "change" }, h("span", { class: "against" }, noChange(metric)));
  const words = { up: "rising", down: "falling", stable: "stable" }[metric.trend];
  const news = metric.good === null ? "" : metric.good ? ", good news" : ", bad news";
  const percent = metric.change_percent === null || metric.unit === "ratio" ? null : format.signedPercent(metric.change_percent / 100);
  return h(
    "p",
    { class: "change" },
    h("span", { class: "delta" }, trendShape(metric.trend), h("span", { class: "hidden" }, `${words}${news}: `), signed(metric, format)),
    percent && h("span", { class: "percent" }, percent),
    h("span", { class: "against" }, `vs ${against}`),
  );
}

function noChange({ value, reason, unconverted }) {
  if (reason === "allocations_unknown") return "Not known: no payment says what it paid for";
  if (value === null && unconverted.length) return "Not known: nothing has an exchange rate";
  return "Nothing to compare with yet";
}

function signed({ change, unit }, format) {
  if (unit === "count") return format.signedCount(change);
  return unit === "ratio" ? format.signedPoints(change) : format.signedMoney(change);
}

function plain(value, unit, format) {
  if (unit === "count") return format.count(value);
  return unit === "ratio" ? format.percent(value) : format.money(value);
}

/** Money without an exchange rate stands beside the value, in its own currency: it is never added. */
export function unconverted(amounts, format) {
  if (!amounts?.length) return null;
  return h(
    "p",
    { class: "unconverted" },
    "without ",
    amounts.map(({ currency, amount, documents }) => h("span", { class: "chip", key: currency }, `${format.money(amount, currency)} (${countOf(documents, "document", format)})`)),
    ": no exchange rate",
  );
}

/** "1 document", "3 documents". */
export function countOf(count, noun, format) {
  return `${format.count(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function tone({ good, trend }) {
  if (trend === "stable" || good === null) return "";
  return good ? "good" : "bad";
}

function confidenceButton({ name, confidence }, id, format) {
  const bars = [0.25, 0.5, 0.75].map((from, index) => h("i", { key: index, class: confidence >= from ? "on" : null }));
  return h(
    "button",
    { type: "button", class: "confidence", popovertarget: `${id}-why`, title: `Confidence ${format.percent(confidence)}` },
    h("span", { class: "bars", "aria-hidden": "true" }, bars),
    h("span", { class: "hidden" }, `${name}: confidence ${format.percent(confidence)}, explain`),
  );
}

function explanation(metric, id, about, { basis }, format) {
  const factors = metric.confidence_factors;
  const documents = factors.sample < 1 ? Math.round((10 * factors.sample) / (1 - factors.sample)) : null;
  const rows = [
    ["Sample", factors.sample, documents === null ? "very many documents" : documents === 1 ? "1 document" : `${format.count(documents)} documents`],
    ["Day so far", factors.day, factors.day < 1 ? "share of today that has passed" : "does not depend on the time of day"],
    ["Exchange rates", factors.fx, factors.fx < 1 ? "some documents have no rate" : "every document could be counted"],
    ["Data quality", factors.quality, factors.quality < 1 ? "some documents lack a due date or tax, or are dated ahead" : "no oddities found"],
  ];
  return h(
    "div",
    { class: "why", id: `${id}-why`, popover: "auto", role: "dialog", "aria-label": `About ${metric.name}` },
    about && h("p", {}, about.what[basis] ?? about.what.accrual),
    metric.previous !== null && metric.change !== null && h("p", { class: "reason" }, `Compared with ${plain(metric.previous, metric.unit, format)}, ${about?.against ?? "before"}.`),
    metric.reason && h("p", { class: "reason" }, REASONS[metric.reason] ?? metric.reason),
    h("p", { class: "total" }, h("span", {}, "Confidence"), h("strong", {}, format.percent(metric.confidence))),
    h(
      "ul",
      {},
      rows.map(([name, share, words]) =>
        h(
          "li",
          { key: name },
          h("span", {}, name),
          h("span", { class: "track", "aria-hidden": "true" }, h("i", { style: { width: `${share * 100}%` } })),
          h("span", { class: "share" }, format.percent(share)),
          h("small", {}, words),
        ),
      ),
    ),
  );
}

function both(text) {
  return { accrual: text, cash: text };
}
