/** Who owes us: what is open by how late it is, as a bar and a table. */
import { countOf, unconverted } from "./cards.js";
import { h } from "./dom.js";
import { dataTable } from "./flows.js";
import { sum } from "./format.js";

const BUCKETS = { current: "Not yet due", "1-30": "1–30 days late", "31-60": "31–60 days late", "61-90": "61–90 days late", "90+": "More than 90 days late" };

export function receivables({ overview, format }) {
  const { outstanding, customer_credit: credit, dso_days: dso, ageing, by_currency: currencies, debtors = [], unconverted: left } = overview.receivables;
  const late = sum(ageing.filter(({ bucket }) => bucket !== "current").map(({ amount }) => amount), overview.currency);
  const money = (amount) => (amount === null ? "no rate" : format.money(amount));
  const share = (amount) => (outstanding && amount !== null ? amount / outstanding : 0);
  const foreign = currencies.filter(({ currency }) => currency !== overview.currency);
  return h(
    "section",
    { class: "panel receivables", key: "receivables", "aria-labelledby": "receivables-title" },
    h("header", {}, h("h2", { id: "receivables-title" }, "Who owes us"), dso !== null && h("p", { class: "note", title: "Days sales outstanding over the last 90 days" }, `DSO ${format.decimal(dso)} days`)),
    h("p", { class: "figure" }, h("strong", {}, money(outstanding)), " outstanding", late > 0 && h("span", { class: "late" }, `${format.money(late)} overdue`)),
    h("div", { class: "ageing", "aria-hidden": "true" }, ageing.map(({ bucket, amount }) => (share(amount) > 0 ? h("i", { key: bucket, "data-bucket": bucket, style: { "flex-grow": share(amount) } }) : null))),
    h(
      "table",
      { class: "plain" },
      h("caption", { class: "hidden" }, "Open invoices by how late they are"),
      h("thead", { class: "hidden" }, h("tr", {}, ["Lateness", "Invoices", "Amount", "Share"].map((name) => h("th", { key: name, scope: "col" }, name)))),
      h(
        "tbody",
        {},
        ageing.map(({ bucket, count, amount }) =>
          h(
            "tr",
            { key: bucket, class: count ? null : "zero" },
            h("th", { scope: "row" }, h("i", { class: "swatch", "data-bucket": bucket, "aria-hidden": "true" }), BUCKETS[bucket]),
            h("td", { class: "dim" }, format.count(count)),
            h("td", {}, money(amount)),
            h("td", { class: "dim" }, outstanding ? format.percent(share(amount)) : "—"),
          ),
        ),
      ),
    ),
    unconverted(left, format),
    foreign.length > 0 && h("p", { class: "small" }, "In their own currencies: ", currencies.map(({ currency, amount }) => h("span", { class: "chip", key: currency }, format.money(amount, currency)))),
    h("p", { class: "small" }, creditText(credit, overview.unconverted?.customer_credit ?? [], format)),
    credit !== null && unconverted(overview.unconverted?.customer_credit, format),
    debtors.length > 0 &&
      dataTable(
        "Who owes you, client by client",
        ["Client", "Overdue", "Outstanding", "Invoices", "Oldest due"],
        debtors.map(({ client_id: id, name, overdue, outstanding: owed, invoices, oldest_due: oldest }) => [name ?? id ?? "No client", money(overdue), money(owed), format.count(invoices), oldest === null ? "—" : format.day(oldest)]),
        "Who owes you, client by client",
      ),
  );
}

function creditText(credit, left, format) {
  if (credit > 0) return `Clients have ${format.money(credit)} to their credit.`;
  if (credit === 0) return "Clients have nothing to their credit.";
  if (!left.length) return "Clients’ credit is not known: nothing says which payments paid for which invoices.";
  const sums = left.map(({ currency, amount, documents }) => `${format.money(amount, currency)} (${countOf(documents, "document", format)})`);
  return `Clients’ credit is not known: no exchange rate for ${sums.join(" and ")}.`;
}
