/** The eight metrics as cards: today against yesterday, with a line of past days, and on demand what they rest on. */
import { h } from "./dom.js";
import { ask, fitted, unconverted } from "./figure.js";
import { icon, sparkline, trendShape } from "./marks.js";

/** By metric: its receipts, and its line of past days (from the overview). */
const METRICS = {
  "Daily Revenue": { number: "daily-revenue", line: ({ series }) => series?.map((day) => day.revenue) },
  "Daily Expenses": { number: "daily-expenses", line: ({ series }) => series?.map((day) => day.expenses) },
  "Daily Profit": { number: "profit", narrowed: { period: "today" }, line: ({ series }) => series?.map((day) => (day.revenue === null || day.expenses === null ? null : day.revenue - day.expenses)) },
  "Cash Flow": { number: "cash-flow", line: ({ series }) => series?.map((day) => day.cash) },
  "Pending Invoices": { number: "pending-invoices", line: ({ history }, now) => history && [...history.map((day) => day.pending), now] },
  "Overdue Invoices": { number: "overdue-invoices", line: ({ history }, now) => history && [...history.map((day) => day.overdue), now] },
  "Quote Conversion": { number: "quote-conversion", line: ({ history }, now) => history && [...history.map((day) => day.conversion), now] },
  "Client Activity": { number: "client-activity", line: ({ history }, now) => history && [...history.map((day) => day.active_clients), now] },
};

/** @param {import("./known.js").Known} known */
export function metrics(known) {
  const { snapshot, t } = known;
  if (!snapshot.metrics?.length) return null;
  return h(
    "section",
    { class: "today", key: "metrics", "aria-labelledby": "metrics-title" },
    h("header", {}, h("h2", { id: "metrics-title" }, t("metrics")), h("p", { class: "note" }, t("metrics.note"))),
    h("div", { class: "cards" }, snapshot.metrics.map((metric) => card(metric, known))),
  );
}

/** "daily-revenue" of "Daily Revenue": part of keys and ids. */
export function slug(name) {
  return name.toLowerCase().replaceAll(" ", "-");
}

/** One metric. `known.plain`: its number is no link. */
export function card(metric, known) {
  const { overview, changed } = known;
  const about = METRICS[metric.name];
  const id = slug(metric.name);
  const line = (about && overview && about.line(overview, metric.value)) || [];
  return h(
    "article",
    { class: `card ${tone(metric)}`, key: metric.name, "aria-labelledby": id, "data-metric": metric.name, part: "card", "data-changed": changed.has(metric.name) },
    h("header", {}, h("h3", { id, part: "label" }, known.t(`metric.${id}`)), aboutButton(metric, id, known)),
    h("p", { class: "value", part: "value" }, value(metric, known.plain ? null : about, known), amount(metric, known)),
    change(metric, id, known),
    // A count counts every document, whatever its currency: only money is left out.
    (metric.unit === "money" || metric.amount !== undefined) && unconverted(metric.unconverted, known),
    sparkline(line),
    explanation(metric, id, known),
  );
}

function value(metric, about, { t, format }) {
  if (metric.value === null) return h("span", { class: "none" }, "—", h("span", { class: "hidden" }, t("no-value")));
  const text = plain(metric.value, metric.unit, format);
  const minor = (part) => part.type === "decimal" || part.type === "fraction";
  const parts = metric.unit === "money" ? format.moneyParts(metric.value).map((part, index) => (minor(part) ? h("span", { class: "minor", key: index }, part.value) : part.value)) : text;
  return about ? ask(fitted(text, parts), about.number, about.narrowed) : fitted(text, parts);
}

function amount({ amount }, { format }) {
  if (amount === undefined) return null;
  return h("span", { class: "amount" }, amount === null ? "—" : format.money(amount));
}

function change(metric, id, { t, format }) {
  if (metric.change === null) return h("p", { class: "change" }, h("span", { class: "against" }, noChange(metric, t)));
  const news = metric.good === null ? "" : t(metric.good ? "news.good" : "news.bad");
  const percent = metric.change_percent === null || metric.unit === "ratio" ? null : format.signedPercent(metric.change_percent / 100);
  return h(
    "p",
    { class: "change", part: "change" },
    h("span", { class: "delta" }, trendShape(metric.trend), h("span", { class: "hidden" }, `${t(`trend.${metric.trend}`)}${news}: `), signed(metric, t, format)),
    percent && h("span", { class: "percent" }, percent),
    h("span", { class: "against" }, t(`metric.${id}.against`)),
  );
}

function noChange({ value, reason, unconverted: left }, t) {
  if (reason === "allocations_unknown") return t("no-change.allocations");
  if (value === null && left.length) return t("no-change.rate");
  return t("no-change");
}

function signed({ change, unit }, t, format) {
  if (unit === "count") return format.signedCount(change);
  return unit === "ratio" ? t("points", { value: format.signedPoints(change) }) : format.signedMoney(change);
}

function plain(value, unit, format) {
  if (unit === "count") return format.count(value);
  return unit === "ratio" ? format.percent(value) : format.money(value);
}

function tone({ good, trend }) {
  if (trend === "stable" || good === null) return "";
  return good ? "good" : "bad";
}

/** What keeps a number from being the whole truth, each with how many documents it is about. */
function missing({ confidence_factors: factors }, t) {
  if (!factors) return [];
  const documents = factors.sample < 1 ? Math.round((10 * factors.sample) / (1 - factors.sample)) : null;
  const counted = (share) => (documents === null ? 2 : Math.max(1, Math.round(documents * (1 - share))));
  return [
    documents !== null && documents > 0 && documents < 5 && t("missing.sample", { count: documents }),
    factors.fx < 1 && t("missing.fx", { count: counted(factors.fx) }),
    factors.quality < 1 && t("missing.quality", { count: counted(factors.quality) }),
  ].filter(Boolean);
}

function aboutButton(metric, id, { t }) {
  const lacks = missing(metric, t).length > 0;
  return h(
    "button",
    { type: "button", class: `about${lacks ? " lacks" : ""}`, popovertarget: `${id}-why`, title: t("about", { name: t(`metric.${id}`) }) },
    icon("info"),
    h("span", { class: "hidden" }, t("about", { name: t(`metric.${id}`) })),
  );
}

function explanation(metric, id, { snapshot, t, format }) {
  const lacks = missing(metric, t);
  const basis = snapshot.basis === "cash" && t.has(`metric.${id}.what.cash`) ? `metric.${id}.what.cash` : `metric.${id}.what`;
  return h(
    "div",
    { class: "why", id: `${id}-why`, popover: "auto", role: "dialog", "aria-label": t("about", { name: t(`metric.${id}`) }) },
    h("p", {}, t(basis)),
    metric.previous !== null && metric.change !== null && h("p", { class: "reason" }, t("compared", { value: plain(metric.previous, metric.unit, format), against: t(`metric.${id}.against`) })),
    metric.rebuilt && h("p", { class: "reason" }, t("compared.rebuilt")),
    metric.reason && h("p", { class: "reason" }, t.has(`reason.${metric.reason}`) ? t(`reason.${metric.reason}`) : metric.reason),
    h("h4", {}, t("missing")),
    h("ul", {}, (lacks.length ? lacks : [t("missing.nothing")]).map((text) => h("li", { key: text }, text))),
  );
}
