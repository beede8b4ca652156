/** Lists by size: top clients and expense categories, and how the quotes are doing. */
import { h } from "./dom.js";
import { amountOr, ask, askAmount, fitted, named, panel, unconverted } from "./figure.js";
import { plusDays } from "./format.js";

const SHOWN = 8;

/** @param {import("./known.js").Known} known */
export function topClients({ overview, snapshot, ...see }) {
  const narrowed = { from: plusDays(snapshot.local_date, -89), to: snapshot.local_date };
  const rows = overview.top_clients?.map(({ client_id: id, name, revenue }) => ({ key: id ?? "none", name: name ?? id ?? see.t("no-client"), value: revenue, narrowed: id === null ? null : { ...narrowed, client_id: id } }));
  return rows ? ranking("clients", "revenue", rows, overview.unconverted?.top_clients, see) : null;
}

/** @param {import("./known.js").Known} known */
export function expenseCategories({ overview, snapshot, ...see }) {
  const narrowed = { from: plusDays(snapshot.local_date, -29), to: snapshot.local_date };
  const rows = overview.expense_categories?.map(({ category, amount }) => ({ key: category ?? "none", name: category ?? see.t("no-category"), value: amount, narrowed: category === null ? null : { ...narrowed, category } }));
  return rows ? ranking("categories", "expenses", rows, overview.unconverted?.expense_categories, see) : null;
}

function ranking(id, number, rows, left, see) {
  const { t } = see;
  const largest = Math.max(...rows.map(({ value }) => value), 0) || 1;
  return panel(
    id,
    { title: t(id), note: t(`${id}.note`) },
    rows.length === 0 && h("p", { class: "empty" }, t(`${id}.none`)),
    h(
      "ol",
      { class: "ranks" },
      rows.slice(0, SHOWN).map(({ key, name, value, narrowed }) =>
        h(
          "li",
          { key, class: value === null ? "unknown" : null },
          h("i", { "aria-hidden": "true", style: { width: `${(Math.max(value, 0) / largest) * 100}%` } }),
          h("span", {}, named(name)),
          h("b", {}, narrowed ? askAmount(value, number, narrowed, see) : amountOr(value, see)),
        ),
      ),
    ),
    unconverted(left, see),
  );
}

/** @param {import("./known.js").Known} known */
export function quotes({ overview, ...see }) {
  if (!overview.quotes) return null;
  const { t, format } = see;
  const { open_count: open, open_amount: amount, won, lost, conversion } = overview.quotes;
  return panel(
    "quotes",
    { title: t("quotes"), note: t("quotes.note") },
    h("p", { class: "figure" }, h("strong", {}, conversion === null ? "—" : ask(fitted(format.percent(conversion)), "quote-conversion")), h("span", {}, t(conversion === null ? "quotes.none" : "quotes.won-share"))),
    won + lost > 0 && h("div", { class: "split", "aria-hidden": "true" }, won > 0 && h("i", { class: "won", style: { "flex-grow": won } }), lost > 0 && h("i", { class: "lost", style: { "flex-grow": lost } })),
    h(
      "dl",
      { class: "facts" },
      [
        [t("quotes.won"), format.count(won)],
        [t("quotes.lost"), format.count(lost)],
        [t("quotes.open"), open ? `${format.count(open)} · ${amountOr(amount, see)}` : format.count(open)],
      ].map(([name, text]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, text))),
    ),
    unconverted(overview.unconverted?.quotes, see),
  );
}
