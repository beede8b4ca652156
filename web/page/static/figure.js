/** Numbers that open the documents behind them, and what is said beside numbers: money left out, changes. */
import { h } from "./dom.js";
import { trendShape } from "./marks.js";

const CHIPS = 2;
/** A change within this many percent is none worth a colour, as for the metrics. */
const BAND_PERCENT = 5;

/** The address of a receipt: number and what narrows it, null entries left out. */
export function receiptHref(number, narrowed = {}) {
  const query = new URLSearchParams(Object.entries(narrowed).filter(([, value]) => value !== null && value !== undefined));
  return `#documents/${number}${query.size ? `?${query}` : ""}`;
}

let offered = true;

/** Whether the server has the documents behind numbers; where it has not, numbers are no links. */
export function offerDocuments(has) {
  offered = has;
}

/** `content` as a link to its documents. */
export function ask(content, number, narrowed = {}) {
  if (!offered) return content;
  return h("a", { class: "ask", href: receiptHref(number, narrowed) }, content);
}

/** A long number becomes smaller instead of being cut off: the style sheet divides the room by its length. */
export function fitted(text, content = text) {
  return h("span", { class: "number", style: { "--length": Math.max(6, text.length) } }, content);
}

/** An amount, or that nobody knows it: nothing of it could be converted, or the books do not say. */
export function amountOr(amount, { t, format }) {
  return amount === null || amount === undefined ? t("not-known") : format.money(amount);
}

/** An amount that opens its documents; one that is not known stays plain. */
export function askAmount(amount, number, narrowed, see) {
  const text = amountOr(amount, see);
  return amount === null || amount === undefined ? text : ask(text, number, narrowed);
}

/** Money without an exchange rate stands beside the value, in its own currency: it is never added. */
export function unconverted(amounts, see) {
  if (!amounts?.length) return null;
  const { t, format } = see;
  const chips = amounts.map(({ currency, amount, documents }) =>
    h("span", { class: "chip", key: currency }, `${format.money(amount, currency)} (${t("documents", { count: documents })})`),
  );
  return h("div", { class: "unconverted" }, h("p", {}, t("without-rate"), " "), capped(chips, CHIPS, t));
}

/** The first few of a list, and "+22" that opens the rest. */
export function capped(parts, most, t) {
  if (parts.length <= most + 1) return parts;
  return [
    ...parts.slice(0, most),
    h("details", { class: "more", key: "more" }, h("summary", {}, h("span", { "aria-hidden": "true" }, `+${parts.length - most}`), h("span", { class: "hidden" }, t("more", { count: parts.length - most }))), h("div", {}, parts.slice(most))),
  ];
}

/** How much something moved in percent: shape, sign, and words for whoever sees neither. `rising`: whether more is good, null where it is neither. */
export function percentChange(percent, rising, { t, format }) {
  if (percent === null || percent === undefined) return null;
  const trend = percent > BAND_PERCENT ? "up" : percent < -BAND_PERCENT ? "down" : "stable";
  const good = trend === "stable" || rising === null ? null : (trend === "up") === rising;
  return h(
    "span",
    { class: `delta ${good === null ? "" : good ? "good" : "bad"}` },
    trendShape(trend),
    h("span", { class: "hidden" }, `${t(`trend.${trend}`)}${good === null ? "" : t(good ? "news.good" : "news.bad")}: `),
    format.signedPercent(percent / 100),
  );
}

/**
 * A panel: its heading, a note beside it, and what it holds.
 * @param {string} name @param {{title: any, note?: any, wide?: boolean}} head @param {any[]} content
 */
export function panel(name, { title, note = null, wide = false }, ...content) {
  return h(
    "section",
    { class: `panel ${name}${wide ? " wide" : ""}`, key: name, part: "panel", "aria-labelledby": `${name}-title` },
    h("header", {}, h("h2", { id: `${name}-title` }, title), note && h("p", { class: "note" }, note)),
    ...content,
  );
}

/** The numbers behind a drawing, folded away until wanted. */
export function dataTable(caption, columns, rows, label) {
  return h(
    "details",
    { class: "data" },
    h("summary", {}, label),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h(
        "table",
        {},
        h("caption", { class: "hidden" }, caption),
        h("thead", {}, h("tr", {}, columns.map((name) => h("th", { key: name, scope: "col" }, name)))),
        h("tbody", {}, rows.map((cells, index) => h("tr", { key: index }, cells.map((cell, at) => h(at ? "td" : "th", { key: at, scope: at ? null : "row" }, cell))))),
      ),
    ),
  );
}

/** A person's or firm's name, in whichever direction it is written. */
export function named(text) {
  return h("bdi", { class: "name" }, text);
}
