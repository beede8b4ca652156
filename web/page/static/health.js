/** How the business is going over 30 days: what each part of the score says, and what is missing to say more. */
import { h } from "./dom.js";
import { panel } from "./figure.js";

/** @param {import("./known.js").Known} known */
export function health({ snapshot, t, format }) {
  if (!snapshot.score?.components?.length) return null;
  const { value, components } = snapshot.score;
  const told = components.filter(({ points }) => points !== null);
  const missing = components.filter(({ points }) => points === null);
  return panel(
    "health",
    { title: t("health"), note: t("health.note") },
    told.length === 0 && h("p", { class: "empty" }, t("health.none")),
    h("ul", { class: "parts" }, told.map((part) => h("li", { key: part.name }, h("b", {}, t(`health.${part.name}`)), h("span", {}, sentence(part, { t, format }))))),
    missing.length > 0 && h("div", { class: "small lacking" }, h("p", {}, t("health.missing")), h("ul", {}, missing.map((part) => h("li", { key: part.name }, t("health.missing-part", { name: t(`health.${part.name}`), why: why(part, t) }))))),
    value !== null && h("p", { class: "small" }, t("health.score", { score: format.decimal(value), parts: told.length, all: components.length })),
  );
}

/** The raw value in words of the viewer's language; the server's English sentence where a catalogue has none. */
function sentence({ name, value, reason }, { t, format }) {
  if (name === "collections" && value) {
    const { overdue_share: share, days_over_terms: days } = value;
    return [share !== null && t("health.collections.share", { share: format.percent(share) }), days !== null && t(days > 0 ? "health.collections.slower" : "health.collections.faster", { days: format.decimal(Math.abs(days)) })].filter(Boolean).join(" ");
  }
  if (typeof value !== "number") return reason;
  const sign = name === "growth" || name === "cash" || name === "profitability" ? (value < 0 ? ".less" : ".more") : ".told";
  const key = `health.${name}${sign}`;
  return t.has(key) ? t(key, { share: format.percent(Math.abs(value)) }) : reason;
}

function why({ name, reason }, t) {
  return t.language === "en" || !t.has(`health.${name}.missing`) ? reason : t(`health.${name}.missing`);
}
