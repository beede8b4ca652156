/** Lists by size: top clients and expense categories, and how the quotes are doing. */
import { unconverted } from "./cards.js";
import { h } from "./dom.js";
import { known } from "./flows.js";

const SHOWN = 8;

export function topClients({ overview, format }) {
  const rows = overview.top_clients.map(({ client_id: id, name, revenue, documents }) => ({ key: id ?? "none", name: name ?? id ?? "No client", value: revenue, documents }));
  return ranking("clients", "Top clients", "revenue, 90 days", rows, "No revenue in the last 90 days.", overview.unconverted?.top_clients, format);
}

export function expenseCategories({ overview, format }) {
  const rows = overview.expense_categories.map(({ category, amount, documents }) => ({ key: category ?? "none", name: category ?? "No category", value: amount, documents }));
  return ranking("categories", "Where money goes", "expenses, 30 days", rows, "No expenses in the last 30 days.", overview.unconverted?.expense_categories, format);
}

function ranking(id, title, note, rows, empty, left, format) {
  const largest = Math.max(...rows.map(({ value }) => value), 0) || 1;
  return h(
    "section",
    { class: `panel ${id}`, key: id, "aria-labelledby": `${id}-title` },
    h("header", {}, h("h2", { id: `${id}-title` }, title), h("p", { class: "note" }, note)),
    rows.length === 0 && h("p", { class: "empty" }, empty),
    h(
      "ol",
      { class: "ranks" },
      rows.slice(0, SHOWN).map(({ key, name, value, documents }) =>
        h(
          "li",
          { key, title: `${documents} ${documents === 1 ? "document" : "documents"}` },
          h("i", { "aria-hidden": "true", style: { width: `${(Math.max(value, 0) / largest) * 100}%` } }),
          h("span", {}, name),
          h("b", {}, known(value, format)),
        ),
      ),
    ),
    unconverted(left, format),
  );
}

export function quotes({ overview, format }) {
  const { open_count: open, open_amount: amount, won, lost, conversion } = overview.quotes;
  const decided = won + lost;
  return h(
    "section",
    { class: "panel quotes", key: "quotes", "aria-labelledby": "quotes-title" },
    h("header", {}, h("h2", { id: "quotes-title" }, "Quotes"), h("p", { class: "note" }, "90 days")),
    h("p", { class: "figure" }, h("strong", {}, conversion === null ? "—" : format.percent(conversion)), conversion === null ? " nothing decided yet" : " won"),
    decided > 0 && h("div", { class: "split", "aria-hidden": "true" }, won > 0 && h("i", { class: "won", style: { "flex-grow": won } }), lost > 0 && h("i", { class: "lost", style: { "flex-grow": lost } })),
    h(
      "dl",
      { class: "facts" },
      [
        ["Won", format.count(won)],
        ["Lost", format.count(lost)],
        ["Open", open ? `${format.count(open)} · ${known(amount, format)}` : format.count(open)],
      ].map(([name, text]) => h("div", { key: name }, h("dt", {}, name), h("dd", {}, text))),
    ),
    unconverted(overview.unconverted?.quotes, format),
  );
}
