/** Expected cash of the coming 30 days: what open invoices, unpaid expenses and recurring templates will bring. */
import { unconverted } from "./cards.js";
import { h } from "./dom.js";
import { dataTable, known, legend, totalOf } from "./flows.js";
import { sum } from "./format.js";

const SERIES = [
  { name: "In", field: "inflow", mark: "bar" },
  { name: "Out", field: "out", mark: "bar second" },
  { name: "Running total", field: "cumulative", mark: "solid" },
];

export function forecast({ overview, format }) {
  // Going out is drawn below the line.
  const days = overview.cash_forecast.map((day) => ({ ...day, out: day.outflow === null ? null : -day.outflow }));
  if (!days.length) return null;
  const opening = overview.opening_balance ?? null;
  const late = sum(overview.receivables.ageing.filter(({ bucket }) => bucket !== "current").map(({ amount }) => amount), overview.currency);
  const end = days.at(-1);
  const lowest = days.reduce((low, day) => (day.cumulative < low.cumulative ? day : low), days[0]);
  const chart = { label: "Expected cash of the coming 30 days", days, series: SERIES, format };
  return h(
    "section",
    { class: "panel forecast", key: "forecast", "aria-labelledby": "forecast-title" },
    h("header", {}, h("h2", { id: "forecast-title" }, "Cash forecast"), h("p", { class: "note" }, "next 30 days")),
    h(
      "p",
      { class: "figure" },
      h("strong", {}, opening === null ? format.signedMoney(end.cumulative) : format.money(end.cumulative)),
      opening === null ? ` change from today to ${format.dayShort(end.date)}` : ` expected by ${format.dayShort(end.date)}, from ${format.money(opening)}`,
      lowest.cumulative < 0 && h("span", { class: "low" }, `lowest ${format.money(lowest.cumulative)} on ${format.dayShort(lowest.date)}`),
    ),
    legend(SERIES.slice(0, 2).map((entry) => ({ ...entry, total: totalOf(days, entry.field, overview, format) })).concat(SERIES[2])),
    h("day-chart", { ".chart": chart }),
    unconverted(overview.unconverted?.cash_forecast, format),
    late > 0 && h("p", { class: "small" }, `${format.money(late)} of overdue invoices is in no day: nobody knows when it comes.`),
    dataTable(chart.label, ["Day", "In", "Out", "Running total"], days.map((day) => [format.day(day.date), known(day.inflow, format), known(day.outflow, format), format.money(day.cumulative)])),
  );
}
