/** Cash coming and going: where the coming 30 days start, what comes in and goes out on which day, and where they end. */
import { legend } from "./chart.js";
import { h } from "./dom.js";
import { amountOr, ask, askAmount, dataTable, fitted, panel, receiptHref, unconverted } from "./figure.js";
import { plusDays, sum } from "./format.js";

const SERIES = [
  { name: "in", field: "inflow", mark: "column" },
  { name: "out", field: "out", mark: "column second" },
  { name: "total", field: "cumulative", mark: "solid" },
];
const NAMED_A_DAY = 4;

/** @param {import("./known.js").Known} known */
export function cash({ overview, lists, ...see }) {
  const { t, format } = see;
  // Going out is drawn below the line.
  const days = (overview.cash_forecast ?? []).map((day) => ({ ...day, out: day.outflow === null ? null : -day.outflow }));
  if (!days.length) return null;
  const series = SERIES.map((entry) => ({ ...entry, name: t(`cash.${entry.name}`) }));
  const label = t("cash.label");
  const chart = {
    label, hint: t("chart.hint"), points: days, series,
    name: ({ date }) => format.day(date), tick: ({ date }) => format.dayShort(date),
    value: (amount) => amountOr(amount, see), axis: format.shortMoney, href: () => receiptHref("forecast"),
    details: ({ date }) => namesOn(date, lists.due ?? [], see),
  };
  return panel(
    "cash",
    { title: t("cash"), note: t("cash.note"), wide: true },
    headline(overview, days, see),
    h("dl", { class: "bridge" }, bridge(overview, days, see)),
    legend(series),
    h("day-chart", { ".chart": chart }),
    unconverted(overview.unconverted?.cash_forecast, see),
    dataTable(label, [t("day"), ...series.map(({ name }) => name)], days.map((day) => [format.day(day.date), amountOr(day.inflow, see), amountOr(day.outflow, see), format.money(day.cumulative)]), t("table.show")),
  );
}

function headline({ opening_balance: opening }, days, { t, format }) {
  const end = days.at(-1);
  const lowest = days.reduce((low, day) => (day.cumulative < low.cumulative ? day : low), days[0]);
  const known = opening !== null && opening !== undefined;
  const text = known ? format.money(end.cumulative) : format.signedMoney(end.cumulative);
  return h(
    "p",
    { class: "figure" },
    h("strong", {}, ask(fitted(text), "forecast")),
    h("span", {}, t(known ? "cash.expected" : "cash.change", { day: format.dayShort(end.date) })),
    lowest.cumulative < 0 && h("span", { class: "low" }, t("cash.lowest", { amount: format.money(lowest.cumulative), day: format.dayShort(lowest.date) })),
  );
}

/** From the start to the end in steps, and what is in no day: overdue invoices, of which nobody knows when they come. */
function bridge({ opening_balance: opening, receivables, currency }, days, see) {
  const { t, format } = see;
  const total = (field) => (days.every((day) => day[field] === null) ? null : sum(days.map((day) => day[field]), currency));
  const late = receivables ? sum(receivables.ageing.filter(({ bucket }) => bucket !== "current").map(({ amount }) => amount), currency) : 0;
  /** @type {[string, string, number | null, unknown][]} */
  const rows = [
    ["start", opening === null || opening === undefined ? t("cash.start.unknown") : t("cash.start", { day: format.dayShort(plusDays(days[0].date, -1)) }), opening ?? null, opening === null || opening === undefined ? "" : format.money(opening)],
    ["in", t("cash.in"), total("inflow"), null],
    ["out", t("cash.out"), total("out"), null],
  ];
  if (late > 0) rows.push(["late", t("cash.late"), late, askAmount(late, "overdue-invoices", {}, see)]);
  return rows.map(([key, name, amount, shown]) => h("div", { key, class: key }, h("dt", {}, name), h("dd", {}, shown ?? amountOr(amount, see))));
}

/** The largest of what is expected on a day, by name: salaries and rent among them. */
function namesOn(date, due, { t, format }) {
  const named = due.filter((entry) => entry.date === date && entry.base_amount !== null);
  return named
    .toSorted((a, b) => Math.abs(b.base_amount) - Math.abs(a.base_amount))
    .slice(0, NAMED_A_DAY)
    .map((entry) => `${whatFor(entry, t)} ${format.signedMoney(entry.base_amount)}`);
}

/** What a document is about, in the words a person has for it: salaries, a client, a vendor; else its number. */
export function whatFor({ client, vendor, category, reference, kind, id }, t) {
  const kinds = t.has(`kind.${kind}`) ? t(`kind.${kind}`) : kind;
  return client?.name ?? client?.id ?? vendor ?? category ?? (reference || id ? `${kinds} ${reference ?? id}` : kinds);
}
