/** The page below the bar, described from what is known. A block that an answer lacks, as a view may hide it, is left out. */
/** @import { Snapshot } from "./client.js" */
import { alerts } from "./alerts.js";
import { cash } from "./cash.js";
import { days } from "./days.js";
import { debts } from "./debts.js";
import { h } from "./dom.js";
import { delayNotice } from "./header.js";
import { health } from "./health.js";
import { metrics } from "./metrics.js";
import { due, incoming } from "./moves.js";
import { period } from "./period.js";
import { expenseCategories, quotes, topClients } from "./ranks.js";

/** Numbers are there: the page, led by what an owner asks. @param {import("./known.js").Known} known */
export function dashboard(known) {
  const { snapshot, overview } = known;
  const full = snapshot.state !== "no_data";
  const part = (name, panel) => (!known.parts || known.parts.has(name)) && panel(known);
  return [
    delayNotice(known),
    part("title", title),
    (snapshot.data_issues ?? []).map((issue) => notice(issue, known)),
    !full && welcome(known),
    h(
      "div",
      { class: "grid", key: "first" },
      full && overview && lane("main", [part("period", period), part("cash", cash), part("debts", debts)]),
      lane("side", [part("alerts", alerts), ...(full && overview ? [part("due", due), part("incoming", incoming), part("quotes", quotes)] : [])]),
    ),
    part("metrics", metrics),
    full && overview && h("div", { class: "grid", key: "more" }, [part("days", days), part("health", health), part("clients", topClients), part("expenses", expenseCategories)]),
    part("footer", footer),
  ];
}

/** What stands under each other where there is room for two columns; elsewhere the style sheet mixes the two. */
function lane(name, panels) {
  return panels.some(Boolean) && h("div", { class: `lane ${name}`, key: name }, panels);
}

function title({ snapshot: { name, user_id: id, local_date: day, basis, currency }, t, format }) {
  return h(
    "div",
    { class: "title", key: "title" },
    h("h1", {}, h("bdi", {}, name ?? id)),
    h("p", {}, format.dayLong(day), h("span", {}, t("title.about", { place: format.place, currency, basis: t(`basis.${basis}`) }))),
  );
}

/** @param {Snapshot["data_issues"][number]} issue @param {import("./known.js").See} see */
function notice({ code, detail, currency, since }, { t, format }) {
  const text = t.has(`issue.${code}`) ? t(`issue.${code}`, { currency, base: format.currency, since: since && format.dayYear(since) }) : detail;
  return h("p", { class: "notice", key: `${code} ${currency ?? ""}` }, text);
}

function welcome({ t }) {
  return h(
    "section",
    { class: "panel welcome", key: "welcome" },
    h("h2", {}, t("welcome")),
    h("p", {}, t("welcome.text")),
    h("ol", {}, ["invoice", "payment", "weeks"].map((step) => h("li", { key: step }, t(`welcome.${step}`)))),
  );
}

function footer({ snapshot: { computed_at: computed, as_of: read, version }, t, format }) {
  return h(
    "footer",
    { key: "footer" },
    h("p", {}, t("footer", { read: format.timeExact(read), computed: format.time(computed), version })),
    h("p", { class: "hints" }, [["R", "recalculate"], ["T", "tables"], ["?", "help"]].map(([key, name]) => h("span", { key }, h("kbd", {}, key), ` ${t(`hint.${name}`)}`))),
  );
}
