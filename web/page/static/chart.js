/** `<day-chart>`: columns and lines over days or months, read out under the pointer, a finger or the arrow keys. */
import { h, patch } from "./dom.js";
import { linePath, ticks } from "./marks.js";

const LABELS = 5;

/**
 * Set `.chart` = {label, points, series, name, tick, value, axis, hint, href, details}:
 *   points: what lies along the line, with one field for each of series {name, field, mark}; null is not known.
 *   name(point), tick(point): what it is called in full and under the line. value(amount), axis(amount): a number as text.
 *   href(point): the address of its documents, for Enter; details(point): more lines of the readout. Both may be missing.
 */
class DayChart extends HTMLElement {
  /** @type {any} */
  #chart = null;
  #at = null;
  #spoken = false;

  connectedCallback() {
    this.tabIndex = 0;
    this.setAttribute("role", "group");
    this.addEventListener("pointerdown", (event) => this.#show(this.#under(event)));
    this.addEventListener("pointermove", (event) => this.#show(this.#under(event)));
    // A finger that is lifted leaves as well; what it showed stays until something else is touched.
    this.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && this.#show(null));
    this.addEventListener("blur", () => this.#show(null));
    this.addEventListener("keydown", (event) => this.#key(event));
  }

  set chart(chart) {
    this.#chart = chart;
    if (this.#at !== null && this.#at >= chart.points.length) this.#at = null;
    this.setAttribute("aria-label", `${chart.label}. ${chart.hint}`);
    this.#render();
  }

  #under(event) {
    const plot = /** @type {Element} */ (this.querySelector(".plot")).getBoundingClientRect();
    const index = Math.floor(((event.clientX - plot.left) / plot.width) * this.#chart.points.length);
    return index >= 0 && index < this.#chart.points.length ? index : null;
  }

  #key(event) {
    const { points, href } = this.#chart;
    const last = points.length - 1;
    const from = this.#at ?? (event.key === "ArrowRight" ? -1 : last + 1);
    const to = { ArrowLeft: from - 1, ArrowRight: from + 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") this.#show(null);
    if (event.key === "Enter" && this.#at !== null && href) this.#open(href(points[this.#at]));
    if (to === undefined) return;
    event.preventDefault();
    this.#show(Math.min(last, Math.max(0, to)), { spoken: true });
  }

  /** As a click on a link, so that whoever handles links handles this. */
  #open(href) {
    const link = Object.assign(document.createElement("a"), { hidden: true });
    link.setAttribute("href", href);
    this.append(link);
    link.click();
    link.remove();
  }

  /** A day read with the keyboard is spoken, one under the pointer is not. */
  #show(index, { spoken = false } = {}) {
    if (index === this.#at) return;
    this.#at = index;
    this.#spoken = spoken;
    this.#render();
  }

  #render() {
    const { points, series, axis } = this.#chart;
    const values = points.flatMap((point) => series.map(({ field }) => point[field])).filter((value) => value !== null);
    const lines = ticks(Math.min(...values, 0), Math.max(...values, 0));
    const labels = lines.map(axis);
    const scale = { lines, labels, y: height(lines), width: 300 / points.length };
    this.style.setProperty("--axis", `${Math.max(...labels.map((label) => label.length)) * 0.62 + 1}em`);
    const gaps = points.map((point, index) => (series.some(({ field }) => point[field] === null) ? index : -1)).filter((index) => index >= 0);
    patch(this, [
      h(
        "div",
        { class: "plot" },
        h("div", { class: "scale", "aria-hidden": "true" }, lines.map((line, index) => h("span", { key: line, class: line === 0 ? "zero" : null, style: { top: `${scale.y(line)}%` } }, h("b", {}, labels[index])))),
        this.#at !== null && h("div", { class: "cursor", style: { left: `${middle(this.#at, points)}%`, width: `${100 / points.length}%` } }),
        h("svg", { viewBox: "0 0 300 100", preserveAspectRatio: "none", "aria-hidden": "true" }, columns(this.#chart, scale), curves(this.#chart, scale)),
        gaps.map((index) => h("i", { class: "gap", key: `gap${index}`, "aria-hidden": "true", style: { left: `${middle(index, points)}%` } })),
      ),
      h("div", { class: "under", "aria-hidden": "true" }, this.#underline()),
      h("div", { class: "readout", "aria-live": this.#spoken ? "polite" : "off" }, this.#at !== null && this.#readout(this.#at)),
    ]);
  }

  #underline() {
    const { points, tick } = this.#chart;
    const step = Math.ceil(points.length / LABELS);
    return points.map((point, index) => {
      const share = middle(index, points);
      return index % step === (points.length - 1) % step && h("span", { key: point.date, style: { left: `${share}%`, transform: `translateX(-${share}%)` } }, tick(point));
    });
  }

  #readout(at) {
    const { points, series, name, value, details } = this.#chart;
    const share = middle(at, points);
    return h(
      "div",
      { class: "tip", style: { left: `${share}%`, transform: `translateX(-${share}%)` } },
      h("strong", {}, name(points[at])),
      series.map((entry) => h("span", { key: entry.field }, swatch(entry.mark), `${entry.name} `, h("b", {}, value(points[at][entry.field])))),
      details?.(points[at]).map((text, index) => h("span", { key: index, class: "detail" }, text)),
    );
  }
}
if (!customElements.get("day-chart")) customElements.define("day-chart", DayChart);

function middle(index, points) {
  return ((index + 0.5) / points.length) * 100;
}

function height(lines) {
  const low = lines[0];
  const high = lines[lines.length - 1];
  return (value) => 100 - ((value - low) / (high - low || 1)) * 100;
}

function columns({ points, series }, { y, width }) {
  const bars = series.filter(({ mark }) => mark.startsWith("column"));
  const size = (width * 0.68) / bars.length;
  const column = (value, index, place, field) => {
    const tall = Math.max(Math.abs(y(value) - y(0)), value ? 0.6 : 0);
    return h("rect", { key: `${field}${index}`, x: index * width + width * 0.16 + place * size, width: size * 0.86, y: Math.min(y(value), y(0)), height: tall });
  };
  return bars.map(({ field, mark }, place) => h("g", { class: mark, key: field }, points.map((point, index) => (point[field] === null ? null : column(point[field], index, place, field)))));
}

function curves({ points, series }, { y, width }) {
  return series
    .filter(({ mark }) => !mark.startsWith("column"))
    .map(({ field, mark }) => h("path", { class: `line ${mark}`, key: field, d: linePath(points.map((point, index) => [(index + 0.5) * width, point[field] === null ? null : y(point[field])])) }));
}

export function swatch(mark) {
  return h("i", { class: `swatch ${mark}`, "aria-hidden": "true" });
}

/** What the marks mean, with the sum of each where it has one. */
export function legend(entries) {
  return h("ul", { class: "legend" }, entries.map(({ name, mark, total }) => h("li", { key: name }, swatch(mark), h("span", {}, name), total !== undefined && h("b", {}, total))));
}
