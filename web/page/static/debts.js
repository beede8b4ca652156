/** Who owes the business: clients by name, oldest debt first, and all that is open by how late it is. */
import { h } from "./dom.js";
import { amountOr, ask, askAmount, capped, fitted, named, panel, unconverted } from "./figure.js";
import { daysBetween, sum } from "./format.js";

const CURRENCIES = 3;

/** @param {import("./known.js").Known} known */
export function debts({ overview, snapshot, ...see }) {
  const block = overview.receivables;
  if (!block) return null;
  const { t, format } = see;
  const { outstanding, dso_days: dso, ageing, debtors = [], by_currency: currencies = [] } = block;
  const late = sum(ageing.filter(({ bucket }) => bucket !== "current").map(({ amount }) => amount), overview.currency);
  const foreign = currencies.some(({ currency }) => currency !== overview.currency);
  return panel(
    "debts",
    { title: t("debts"), note: dso === null ? null : h("span", { title: t("dso.what") }, t("dso", { days: format.decimal(dso) })), wide: true },
    h(
      "p",
      { class: "figure" },
      h("strong", {}, outstanding === null ? t("no-rate") : ask(fitted(format.money(outstanding)), "outstanding")),
      h("span", {}, t("debts.outstanding")),
      late > 0 && h("span", { class: "late" }, ask(t("debts.overdue", { amount: format.money(late) }), "overdue-invoices")),
    ),
    debtors.length > 0 && h("ol", { class: "debtors" }, oldestFirst(debtors).map((debtor) => row(debtor, snapshot.local_date, see))),
    buckets(ageing, outstanding, see),
    unconverted(block.unconverted, see),
    foreign && h("div", { class: "small" }, t("debts.own-currencies"), " ", capped(currencies.map(({ currency, amount }) => h("span", { class: "chip", key: currency }, ask(format.money(amount, currency), "outstanding", { currency }))), CURRENCIES, t)),
    h("p", { class: "small" }, credit(block.customer_credit, overview.unconverted?.customer_credit ?? [], see)),
    block.customer_credit !== null && unconverted(overview.unconverted?.customer_credit, see),
  );
}

/** Whoever is late comes first, the longest wait on top; then whoever is not late yet. */
function oldestFirst(debtors) {
  const rank = ({ overdue, oldest_due: oldest }) => `${overdue > 0 ? 0 : 1}${oldest ?? "9999"}`;
  return debtors.toSorted((a, b) => rank(a).localeCompare(rank(b)));
}

function row({ client_id: id, name, outstanding, overdue, oldest_due: oldest, invoices }, today, see) {
  const { t } = see;
  const wait = oldest === null ? null : daysBetween(oldest, today);
  const since = wait === null ? t("debts.no-date") : wait > 0 ? t("debts.late", { count: wait }) : wait === 0 ? t("debts.due-today") : t("debts.due-in", { count: -wait });
  return h(
    "li",
    { key: id ?? "none", class: overdue > 0 ? "late" : null },
    h("span", { class: "about" }, named(name ?? id ?? t("no-client")), h("small", {}, h("em", {}, since), ` · ${t("invoices", { count: invoices })}`)),
    h("span", { class: "sums" }, h("b", {}, id === null ? amountOr(outstanding, see) : askAmount(outstanding, "outstanding", { client_id: id }, see)), overdue > 0 && overdue !== outstanding && h("small", {}, t("debts.of-it-overdue", { amount: amountOr(overdue, see) }))),
  );
}

function buckets(ageing, outstanding, see) {
  const { t } = see;
  const share = (amount) => (outstanding && amount !== null ? amount / outstanding : 0);
  return h(
    "div",
    { class: "ageing", key: "ageing" },
    h("div", { class: "stack", "aria-hidden": "true" }, ageing.map(({ bucket, amount }) => (share(amount) > 0 ? h("i", { key: bucket, "data-bucket": bucket, style: { "flex-grow": share(amount) } }) : null))),
    h(
      "ul",
      { "aria-label": t("ageing") },
      ageing.map(({ bucket, count, amount }) =>
        h(
          "li",
          { key: bucket, class: count ? null : "zero" },
          h("span", {}, h("i", { class: "swatch", "data-bucket": bucket, "aria-hidden": "true" }), t(`bucket.${bucket}`)),
          h("small", {}, t("invoices", { count })),
          h("b", {}, count ? askAmount(amount, "outstanding", { bucket }, see) : amountOr(amount, see)),
        ),
      ),
    ),
  );
}

function credit(amount, left, see) {
  const { t, format } = see;
  if (amount > 0) return [t("credit.some"), " ", askAmount(amount, "customer-credit", {}, see)];
  if (amount === 0) return t("credit.none");
  if (!left.length) return t("credit.unknown");
  return t("credit.no-rate", { amounts: t.list(left.map(({ currency, amount: own, documents }) => `${format.money(own, currency)} (${t("documents", { count: documents })})`)) });
}
