/** Two short lists of documents: what is due in the coming seven days, and what came in over the last seven. */
import { whatFor } from "./cash.js";
import { h } from "./dom.js";
import { ask, named, panel } from "./figure.js";
import { plusDays } from "./format.js";

const SHOWN = 6;
export const DAYS = 7;

/** @param {import("./known.js").Known} known */
export function due({ snapshot, overview, lists, ...see }) {
  const last = plusDays(snapshot.local_date, DAYS - 1);
  if (lists.due === null) return byDay((overview.cash_forecast ?? []).filter(({ date }) => date <= last), see);
  const entries = lists.due?.filter(({ date }) => date !== null && date <= last).toSorted((a, b) => String(a.date).localeCompare(String(b.date)) || Math.abs(b.base_amount ?? 0) - Math.abs(a.base_amount ?? 0));
  return list("due", entries, "forecast", {}, see);
}

/** @param {import("./known.js").Known} known */
export function incoming({ snapshot, lists, ...see }) {
  if (lists.incoming === null) return null;
  const narrowed = { from: plusDays(snapshot.local_date, 1 - DAYS), to: snapshot.local_date };
  return list("incoming", lists.incoming?.toSorted((a, b) => String(b.date).localeCompare(String(a.date))), "money-in", narrowed, see);
}

/** Where the documents are not to be had: the days with what comes in and goes out on each. */
function byDay(days, { t, format }) {
  const sides = (day) => [
    { id: "in", about: t("cash.in"), amount: day.inflow },
    { id: "out", about: t("cash.out"), amount: day.outflow === null ? null : -day.outflow },
  ];
  const moving = days.flatMap((day) => sides(day).filter(({ amount }) => amount).map((side) => ({ ...side, date: day.date })));
  if (!days.length) return null;
  return panel(
    "due",
    { title: t("due"), note: t("due.note") },
    moving.length === 0 && h("p", { class: "empty" }, t("due.none")),
    h("ol", { class: "moves" }, moving.map(({ id, about, amount, date }) => h("li", { key: `${date} ${id}` }, h("span", { class: "about" }, format.day(date), h("small", {}, about)), h("b", {}, format.signedMoney(amount))))),
  );
}

/** `entries`: undefined while they are on their way, so that the panel has its place from the beginning. */
function list(name, entries, number, narrowed, { t, format }) {
  return panel(
    name,
    { title: t(name), note: t(`${name}.note`) },
    entries?.length === 0 && h("p", { class: "empty" }, t(`${name}.none`)),
    h("ol", { class: "moves" }, (entries ?? []).slice(0, SHOWN).map((entry) => move(entry, { t, format }))),
    entries?.length > 0 && h("p", { class: "all" }, ask(entries.length > SHOWN ? t("all.count", { count: entries.length }) : t("all"), number, narrowed)),
  );
}

function move(entry, { t, format }) {
  const about = whatFor(entry, t);
  const second = [entry.category, entry.reference].filter((text) => text && text !== about);
  return h(
    "li",
    { key: `${entry.kind} ${entry.id} ${entry.date}` },
    h("span", { class: "about" }, named(about), h("small", {}, h("time", { datetime: entry.date }, format.day(entry.date)), second.map((text) => [" · ", text]))),
    h("b", {}, entry.base_amount === null ? format.money(entry.amount, entry.currency) : format.signedMoney(entry.base_amount)),
  );
}
