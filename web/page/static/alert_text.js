/** An alert in the viewer's language, from its rule and what the rule looked at; in the server's English where that is unknown. */
import { sum } from "./format.js";

export function alertText(alert, { t, format }) {
  const { rule, params, message } = alert;
  const key = `rule.${rule}${params?.change_percent === null ? ".from-nothing" : ""}`;
  if (!rule || !params || !t.has(key)) return message;
  if (rule === "restatement") return restated(params, t, format);
  const said = written(params, t, format);
  const largest = params.largest?.id && rule === "overdue_count" ? ` ${t("rule.largest", said)}` : "";
  return Object.values(said).includes(null) ? message : t(key, said) + largest;
}

/** The values as the viewer writes them; amounts are in the base currency, and what has no rate stands beside its sum. */
function written(params, t, format) {
  const { currency, count, threshold, value, previous, amount, largest, unconverted = [], change_percent: percent } = params;
  const money = (sum) => (sum === undefined || sum === null ? sum : format.money(sum, currency));
  const sums = [amount === undefined ? undefined : money(amount), ...unconverted.map((left) => format.money(left.amount, left.currency))].filter((sum) => sum !== undefined && sum !== null);
  return defined({
    count, days: threshold, value: money(value), previous: money(previous), threshold: money(threshold),
    amount: amount === undefined ? undefined : t.list(sums), percent: percent === null || percent === undefined ? undefined : format.signedPercent(percent / 100),
    largest: money(largest?.amount), invoice: largest && invoice(largest, t),
  });
}

/** A sentence for each closed month that has changed: "October changed: revenue −450.00 by CN-1042." */
function restated({ changes, more, currency }, t, format) {
  const months = [...new Set(changes.map(({ month }) => month))];
  const sentences = months.map((month) =>
    t("restated.month", { month: format.month(`${month}-01`), changes: t.list(changes.filter((change) => change.month === month).map((change) => restatedNumber(change, currency, t, format))) }),
  );
  return [...sentences, more ? t("restated.more", { count: more }) : ""].join(" ").trim();
}

function restatedNumber({ number, before, after, documents, others }, currency, t, format) {
  const name = t(`restated.${number}`);
  const known = before !== null && after !== null;
  const change = known ? t("restated.change", { number: name, amount: format.signedMoney(sum([after, -before], currency)) }) : t(before === null ? "restated.found" : "restated.lost", { number: name });
  return documents.length ? t("restated.by", { change, documents: t.list(others ? [...documents, t("restated.others")] : documents) }) : change;
}

function invoice({ id, reference, client }, t) {
  const name = client?.name ?? client?.id;
  return name ? t("rule.invoice-of", { invoice: reference ?? id, client: name }) : (reference ?? id);
}

function defined(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
