/** Expected cash of the coming 30 days: what open invoices, unpaid expenses and recurring templates will bring. */
import { h } from "./dom.js";
import { dataTable, legend } from "./flows.js";
import { sum } from "./format.js";

const SERIES = [
  { name: "In", field: "inflow", mark: "bar" },
  { name: "Out", field: "out", mark: "bar second" },
  { name: "Running total", field: "cumulative", mark: "solid" },
];

export function forecast({ overview, format }) {
  // Going out is drawn below the line.
  const days = overview.cash_forecast.map((day) => ({ ...day, out: -day.outflow }));
  if (!days.length) return null;
  const total = (field) => sum(days.map((day) => day[field]), overview.currency);
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
      h("strong", {}, format.signedMoney(end.cumulative)),
      ` expected by ${format.dayShort(end.date)}`,
      lowest.cumulative < 0 && h("span", { class: "low" }, `lowest ${format.money(lowest.cumulative)} on ${format.dayShort(lowest.date)}`),
    ),
    legend([...SERIES.slice(0, 2).map((entry) => ({ ...entry, total: format.money(total(entry.field)) })), SERIES[2]]),
    h("day-chart", { ".chart": chart }),
    dataTable(chart.label, ["Day", "In", "Out", "Running total"], days.map((day) => [format.day(day.date), format.money(day.inflow), format.money(day.outflow), format.money(day.cumulative)])),
  );
}
