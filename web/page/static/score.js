/** The performance score as a gauge, and what it is made of. */
import { h } from "./dom.js";

const NAMES = { profitability: "Profitability", growth: "Growth", cash: "Cash", collections: "Collections", pipeline: "Pipeline", clients: "Returning clients" };

export function score({ snapshot, format }) {
  const { value, coverage, components } = snapshot.score;
  return h(
    "section",
    { class: "panel score", key: "score", "aria-labelledby": "score-title" },
    h("header", {}, h("h2", { id: "score-title" }, "Performance"), h("p", { class: "note" }, "30 days")),
    h(
      "div",
      { class: "gauge" },
      h(
        "svg",
        { viewBox: "0 0 200 112", role: "img", "aria-label": value === null ? "No score: too little data" : `Score ${format.decimal(value)} of 100` },
        h("path", { class: "rail", d: "M16 100a84 84 0 0 1 168 0", pathLength: 100 }),
        value > 0 && h("path", { class: "arc", d: "M16 100a84 84 0 0 1 168 0", pathLength: 100, "stroke-dasharray": `${value} 200` }),
      ),
      h("p", { "aria-hidden": "true" }, h("strong", {}, value === null ? "—" : format.decimal(value)), h("span", {}, value === null ? "too little data" : "of 100")),
    ),
    coverage < 1 && h("p", { class: "small centred" }, `Based on ${format.percent(coverage)} of its parts; the others have no data.`),
    h("div", { class: "parts" }, components.map((part) => component(part, format))),
  );
}

function component({ name, weight, points, reason }, format) {
  return h(
    "details",
    { key: name, class: points === null ? "missing" : null },
    h(
      "summary",
      {},
      h("span", {}, NAMES[name] ?? name),
      h("span", { class: "track", "aria-hidden": "true" }, h("i", { style: { width: `${points ?? 0}%` } })),
      h("b", {}, points === null ? "—" : format.count(points)),
    ),
    h("p", {}, reason, h("small", {}, ` Counts ${format.percent(weight)} of the score.`)),
  );
}
