/** A period so far against the one before, and the months behind it: the question that an owner asks first. */
import { legend } from "./chart.js";
import { h } from "./dom.js";
import { amountOr, ask, askAmount, dataTable, fitted, panel, percentChange, receiptHref, unconverted } from "./figure.js";

export const FIRST_CHOICE = "month_to_date";
const MONTHS = 13;
/** `number`: what its receipts are called, none for cash flow, which is money in less money out. `rising`: is more good? */
const FIGURES = [
  { field: "revenue", number: "revenue", rising: true },
  { field: "expenses", number: "expenses", rising: false },
  { field: "profit", number: "profit", rising: true },
  { field: "money_in", number: "money-in", rising: true },
  { field: "money_out", number: "money-out", rising: false },
  { field: "cash_flow", number: null, rising: true },
];
const SERIES = [
  { field: "revenue", mark: "column" },
  { field: "expenses", mark: "column second" },
  { field: "profit", mark: "solid" },
];

/** @param {import("./known.js").Known} known */
export function period({ overview, snapshot, chosenPeriod, actions, ...see }) {
  const { periods, months } = overview;
  if (!periods?.length) return months?.length ? panel("period", { title: see.t("months"), wide: true }, monthsChart(months, snapshot.local_date, see)) : null;
  const chosen = periods.find(({ name }) => name === chosenPeriod) ?? periods.find(({ name }) => name === FIRST_CHOICE) ?? periods[0];
  return h(
    "section",
    { class: "panel period wide", key: "period", part: "panel", "aria-labelledby": "period-title" },
    h("header", {}, h("h2", { id: "period-title" }, see.t(`period.${chosen.name}`)), chooser(periods, chosen, actions, see.t)),
    h("p", { class: "against" }, comparison(chosen, see)),
    overview.periods_as_of && h("p", { class: "small" }, see.t("period.as-of", { time: see.format.timeExact(overview.periods_as_of) })),
    h("dl", { class: "figures" }, FIGURES.filter(({ field }) => chosen[field] !== undefined).map((figure) => figureOf(figure, chosen, see))),
    months?.length > 0 && monthsChart(months, snapshot.local_date, see),
  );
}

function chooser(periods, chosen, actions, t) {
  return h(
    "label",
    { class: "chooser" },
    h("span", { class: "hidden" }, t("period.choose")),
    h("select", { name: "period", onchange: (event) => actions.choosePeriod(event.target.value) }, periods.map(({ name }) => h("option", { key: name, value: name, selected: name === chosen.name }, t(`period.${name}`)))),
  );
}

/** "Nov 1 – 25 against Oct 1 – 25": both sides named, since nobody knows by heart what a period is compared with. */
function comparison({ from, to, previous }, { t, format }) {
  if (!previous) return format.range(from, to, true);
  const years = new Set([from, to, previous.from, previous.to].map((day) => day.slice(0, 4))).size > 1;
  return t("period.against", { now: format.range(from, to, years), before: format.range(previous.from, previous.to, years) });
}

function figureOf({ field, number, rising }, chosen, see) {
  const { t } = see;
  const { previous } = chosen;
  const text = amountOr(chosen[field], see);
  const was = previous && (number ? askAmount(previous[field], number, { from: previous.from, to: previous.to }, see) : amountOr(previous[field], see));
  return h(
    "div",
    { key: field, "data-figure": field },
    h("dt", {}, t(`figure.${field}`)),
    h("dd", {}, number && chosen[field] !== null ? ask(fitted(text), number, { period: chosen.name }) : fitted(text)),
    previous && h("dd", { class: "before" }, percentChange(chosen.change_percent?.[field], rising, see), h("span", {}, t("period.was"), " ", was)),
    unconverted(chosen.unconverted?.[field], see) && h("dd", {}, unconverted(chosen.unconverted[field], see)),
  );
}

function monthsChart(months, today, see) {
  const { t, format } = see;
  const shown = months.toSorted((a, b) => a.month.localeCompare(b.month)).slice(-MONTHS).map((month) => ({ ...month, date: firstDay(month.month) }));
  const series = SERIES.filter(({ field }) => shown.some((month) => month[field] !== undefined)).map((entry) => ({ ...entry, name: t(`figure.${entry.field}`) }));
  const range = (date) => ({ from: date, to: [lastDay(date), today].toSorted()[0] });
  const chart = {
    label: t("months.label"), hint: t("chart.hint"), points: shown, series,
    name: ({ date }) => format.month(date), tick: ({ date }) => format.monthShort(date),
    value: (amount) => amountOr(amount, see), axis: format.shortMoney, href: ({ date }) => receiptHref("profit", range(date)),
  };
  const columns = FIGURES.filter(({ field, number }) => number && shown[0][field] !== undefined);
  const row = (month) => [format.month(month.date), ...columns.map(({ field, number }) => askAmount(month[field], number, range(month.date), see))];
  return h(
    "div",
    { class: "months", key: "months" },
    h("h3", {}, t("months")),
    legend(series),
    h("day-chart", { ".chart": chart }),
    dataTable(t("months.label"), [t("month"), ...columns.map(({ field }) => t(`figure.${field}`))], shown.toReversed().map(row), t("table.show")),
  );
}

/** A month as on the wire, "2026-11" or its first day, as its first day. */
function firstDay(month) {
  return month.length === 7 ? `${month}-01` : month;
}

function lastDay(first) {
  const [year, month] = first.split("-").map(Number);
  return new Date(Date.UTC(year, month, 0)).toISOString().slice(0, 10);
}
