/** Thirty days of revenue, expenses and cash, day by day. */
import { legend } from "./chart.js";
import { h } from "./dom.js";
import { amountOr, askAmount, dataTable, panel, receiptHref, unconverted } from "./figure.js";
import { sum } from "./format.js";

const SERIES = [
  { name: "revenue", field: "revenue", mark: "column", number: "revenue" },
  { name: "expenses", field: "expenses", mark: "column second", number: "expenses" },
  { name: "cash_flow", field: "cash", mark: "dash", number: null },
];

/** @param {import("./known.js").Known} known */
export function days({ overview, ...see }) {
  const { t, format } = see;
  const points = overview.series;
  if (!points?.length) return null;
  const series = SERIES.filter(({ field }) => points.some((day) => day[field] !== undefined)).map((entry) => ({ ...entry, name: t(`figure.${entry.name}`) }));
  const total = (field) => amountOr(points.every((day) => day[field] === null) ? null : sum(points.map((day) => day[field]), overview.currency), see);
  const chart = {
    label: t("days.label"), hint: t("chart.hint"), points, series,
    name: ({ date }) => format.day(date), tick: ({ date }) => format.dayShort(date),
    value: (amount) => amountOr(amount, see), axis: format.shortMoney, href: ({ date }) => receiptHref("revenue", { from: date, to: date }),
  };
  const cell = (day, { field, number }) => (number ? askAmount(day[field], number, { from: day.date, to: day.date }, see) : amountOr(day[field], see));
  return panel(
    "days",
    { title: t("days"), note: t(`basis.${overview.basis}`), wide: true },
    legend(series.map((entry) => ({ ...entry, total: total(entry.field) }))),
    h("day-chart", { ".chart": chart }),
    points.some((day) => series.some(({ field }) => day[field] === null)) && h("p", { class: "small gap-note" }, h("i", { class: "gap", "aria-hidden": "true" }), t("days.unknown")),
    unconverted(overview.unconverted?.series, see),
    dataTable(t("days.label"), [t("day"), ...series.map(({ name }) => name)], points.toReversed().map((day) => [format.day(day.date), ...series.map((entry) => cell(day, entry))]), t("table.show")),
  );
}
