/** Small drawings in SVG, described for dom.js: icons, shapes of change, sparklines. Lengths are in the viewBox's units. */
import { h } from "./dom.js";

const ICONS = {
  recalculate: "M13.5 3v3.5H10M13.2 6.5A5.5 5.5 0 1 0 13.5 8.7",
  help: "M6.2 6.2a1.9 1.9 0 1 1 2.7 1.9c-.6.3-.9.7-.9 1.3v.3M8 12v.1",
  info: "M8 7.3v3.6M8 5.1v.1M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  bell: "M4 11V7.2a4 4 0 0 1 8 0V11l1 1.3H3L4 11ZM6.8 14h2.4",
  check: "m3.5 8.5 3 3 6-7",
  close: "m4 4 8 8M12 4l-8 8",
  undo: "M3 6.5h6.5a3.5 3.5 0 0 1 0 7H6M3 6.5l3-3M3 6.5l3 3",
  theme: "M8 2.5a5.5 5.5 0 0 0 0 11ZM13.5 8A5.5 5.5 0 1 1 2.5 8a5.5 5.5 0 0 1 11 0Z",
  message: "M2.5 3.5h11v7.5H7L4 13.5V11H2.5Z",
  clock: "M8 4.8V8l2.2 1.4M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
};

export function icon(name) {
  return h("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d: ICONS[name] }));
}

const SHAPES = { up: "M5 1.5 9 8.5H1Z", down: "M5 8.5 1 1.5h8Z", stable: "M2 2h6v6H2Z" };

/** Up, down and stable differ in shape, not only in colour. */
export function trendShape(trend) {
  return h("svg", { class: "shape", viewBox: "0 0 10 10", "aria-hidden": "true" }, h("path", { d: SHAPES[trend] }));
}

const LEVEL_SHAPES = {
  critical: "M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2ZM8 4.8v3.8M8 11.2v.1",
  warning: "M8 2 15 14H1ZM8 6.4v3.4M8 11.9v.1",
  success: "M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0ZM5.3 8.3l1.9 1.9 3.5-4",
  info: ICONS.info,
};

export function levelShape(level) {
  return h("svg", { class: "icon level", viewBox: "0 0 16 16", "aria-hidden": "true" }, h("path", { d: LEVEL_SHAPES[level] ?? ICONS.info }));
}

/** A path through the points, broken where a value is null. */
export function linePath(points) {
  let pen = "M";
  return points
    .map(([x, y]) => {
      if (y === null) {
        pen = "M";
        return "";
      }
      const step = `${pen}${round(x)} ${round(y)}`;
      pen = "L";
      return step;
    })
    .join("");
}

/** A line over the last days, 100 × 28 units and stretched; none where nothing happened. Decoration: the table has it. */
export function sparkline(values) {
  const known = values.filter((value) => value !== null);
  if (known.length < 2 || known.every((value) => value === 0)) return null;
  const low = Math.min(...known, 0);
  const span = Math.max(...known, 0) - low || 1;
  const x = (index) => 1 + (index / (values.length - 1)) * 98;
  const y = (value) => 25.5 - ((value - low) / span) * 23;
  const points = values.map((value, index) => [x(index), value === null ? null : y(value)]);
  const last = points.findLast(([, at]) => at !== null);
  const whole = !values.includes(null);
  return h(
    "svg",
    { class: "spark", viewBox: "0 0 100 28", preserveAspectRatio: "none", "aria-hidden": "true" },
    whole && h("path", { class: "fill", d: `${linePath(points)}L${round(x(values.length - 1))} ${round(y(0))}L1 ${round(y(0))}Z` }),
    h("path", { class: "stroke", d: linePath(points) }),
    h("path", { class: "dot", d: `M${round(last[0])} ${round(last[1])}h0` }),
  );
}

/** Round steps that cover low … high with about three intervals; always with zero. */
export function ticks(low, high) {
  const span = Math.max(high, 0) - Math.min(low, 0) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 3));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((size) => span / size <= 3.6) ?? 10 * power;
  const first = Math.floor(Math.min(low, 0) / step);
  const last = Math.max(Math.ceil(Math.max(high, 0) / step), first + 1);
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step);
}

function round(value) {
  return Math.round(value * 100) / 100;
}
