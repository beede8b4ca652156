/** Thirty days of revenue, expenses and cash: bars and a dashed line, read out day by day, with the data as a table. */
import { unconverted } from "./cards.js";
import { h, patch } from "./dom.js";
import { sum } from "./format.js";
import { linePath, ticks } from "./marks.js";

const SERIES = [
  { name: "Revenue", field: "revenue", mark: "bar" },
  { name: "Expenses", field: "expenses", mark: "bar second" },
  { name: "Cash flow", field: "cash", mark: "dash" },
];

/** `<day-chart>`: columns (bars) and lines over days. Set `.chart` = {label, days, series, format, value}. */
class DayChart extends HTMLElement {
  #chart = null;
  #at = null;
  #spoken = false;

  connectedCallback() {
    this.tabIndex = 0;
    this.setAttribute("role", "group");
    this.addEventListener("pointermove", (event) => this.#show(this.#dayUnder(event)));
    this.addEventListener("pointerleave", () => this.#show(null));
    this.addEventListener("blur", () => this.#show(null));
    this.addEventListener("keydown", (event) => this.#step(event));
  }

  set chart(chart) {
    this.#chart = chart;
    this.setAttribute("aria-label", `${chart.label}. Arrow keys read it day by day; the table below has all numbers.`);
    this.#render();
  }

  #dayUnder(event) {
    const plot = this.querySelector(".plot").getBoundingClientRect();
    const index = Math.floor(((event.clientX - plot.left) / plot.width) * this.#chart.days.length);
    return index >= 0 && index < this.#chart.days.length ? index : null;
  }

  #step(event) {
    const last = this.#chart.days.length - 1;
    const from = this.#at ?? (event.key === "ArrowRight" ? -1 : last + 1);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.#show(null);
    if (to === undefined) return;
    event.preventDefault();
    this.#show(Math.min(last, Math.max(0, to)), { spoken: true });
  }

  /** A day read with the keyboard is spoken, one under the pointer is not. */
  #show(index, { spoken = false } = {}) {
    if (index === this.#at) return;
    this.#at = index;
    this.#spoken = spoken;
    this.#render();
  }

  #render() {
    const { days, series, format } = this.#chart;
    const values = days.flatMap((day) => series.map(({ field }) => day[field])).filter((value) => value !== null);
    const lines = ticks(Math.min(...values, 0), Math.max(...values, 0));
    const [low, high] = [lines[0], lines.at(-1)];
    const y = (value) => 100 - ((value - low) / (high - low || 1)) * 100;
    const width = 300 / days.length;
    const bars = series.filter(({ mark }) => mark.startsWith("bar"));
    const size = (width * 0.68) / bars.length;
    const bar = (day, index, place, field) => {
      const height = Math.abs(y(day[field]) - y(0));
      const x = index * width + width * 0.16 + place * size;
      return h("rect", { key: `${field}${index}`, x, width: size * 0.86, y: Math.min(y(day[field]), y(0)), height: Math.max(height, day[field] ? 0.6 : 0) });
    };
    patch(this, [
      h(
        "div",
        { class: "plot" },
        h("div", { class: "scale", "aria-hidden": "true" }, lines.map((line) => h("span", { key: line, class: line === 0 ? "zero" : null, style: { top: `${y(line)}%` } }, h("b", {}, format.shortMoney(line))))),
        this.#at !== null && h("div", { class: "cursor", style: { left: `${((this.#at + 0.5) / days.length) * 100}%`, width: `${100 / days.length}%` } }),
        h(
          "svg",
          { viewBox: "0 0 300 100", preserveAspectRatio: "none", "aria-hidden": "true" },
          bars.map(({ field, mark }, place) => h("g", { class: mark, key: field }, days.map((day, index) => (day[field] === null ? null : bar(day, index, place, field))))),
          series
            .filter(({ mark }) => !mark.startsWith("bar"))
            .map(({ field, mark }) => h("path", { class: `line ${mark}`, key: field, d: linePath(days.map((day, index) => [(index + 0.5) * width, day[field] === null ? null : y(day[field])])) })),
        ),
      ),
      h(
        "div",
        { class: "days", "aria-hidden": "true" },
        days.map((day, index) => (index % 7 === (days.length - 1) % 7 ? h("span", { key: day.date, style: { left: `${((index + 0.5) / days.length) * 100}%` } }, format.dayShort(day.date)) : null)),
      ),
      h("div", { class: "readout", "aria-live": this.#spoken ? "polite" : "off" }, this.#at !== null && this.#readout()),
    ]);
  }

  #readout() {
    const { days, series, format } = this.#chart;
    const day = days[this.#at];
    const share = ((this.#at + 0.5) / days.length) * 100;
    return h(
      "div",
      { class: "tip", style: { left: `${share}%`, transform: `translateX(-${share}%)` } },
      h("strong", {}, format.day(day.date)),
      series.map(({ name, field, mark }) =>
        h("span", { key: field }, h("i", { class: `swatch ${mark}`, "aria-hidden": "true" }), `${name} `, h("b", {}, known(day[field], format))),
      ),
    );
  }
}
customElements.define("day-chart", DayChart);

/** An amount, or that nobody knows it: nothing of that day could be converted, or the books do not say. */
export function known(amount, format) {
  return amount === null ? "not known" : format.money(amount);
}

/** The known days together; not known when none is. */
export function totalOf(days, field, { currency }, format) {
  return days.every((day) => day[field] === null) ? "not known" : format.money(sum(days.map((day) => day[field]), currency));
}

export function legend(entries) {
  return h("ul", { class: "legend" }, entries.map(({ name, mark, total }) => h("li", { key: name }, h("i", { class: `swatch ${mark}`, "aria-hidden": "true" }), h("span", {}, name), total !== undefined && h("b", {}, total))));
}

/** The numbers behind a drawing, folded away until wanted. */
export function dataTable(caption, columns, rows, label = "Show as table") {
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

export function flows({ overview, format }) {
  const days = overview.series;
  const chart = { label: "Revenue, expenses and cash flow of the last 30 days", days, series: SERIES, format };
  return h(
    "section",
    { class: "panel flows", key: "flows", "aria-labelledby": "flows-title" },
    h("header", {}, h("h2", { id: "flows-title" }, "Last 30 days"), h("p", { class: "note" }, overview.basis === "cash" ? "cash basis" : "accrual basis")),
    legend(SERIES.map((entry) => ({ ...entry, total: totalOf(days, entry.field, overview, format) }))),
    h("day-chart", { ".chart": chart }),
    unconverted(overview.unconverted?.series, format),
    dataTable(chart.label, ["Day", ...SERIES.map(({ name }) => name)], days.toReversed().map((day) => [format.day(day.date), ...SERIES.map(({ field }) => known(day[field], format))])),
  );
}
