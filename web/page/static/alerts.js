/** What needs attention, and news: alerts that are grouped, acknowledged (and taken back) or put off; announcements. */
import { alertText } from "./alert_text.js";
import { h } from "./dom.js";
import { icon, levelShape } from "./marks.js";
import { slug } from "./metrics.js";

const ORDER = ["critical", "warning", "success", "info"];
const SHOWN = 5;
const SNOOZES = [
  ["snooze.hour", 60],
  ["snooze.hours", 240],
  ["snooze.day", 1440],
];

/** The alerts that are still open, most severe first; `stored` is null where the server keeps none. */
export function openAlerts(snapshot, stored) {
  const open = stored ? stored.filter(({ state }) => state === "open") : (snapshot?.alerts ?? []);
  return open.toSorted((a, b) => weight(a) - weight(b));
}

/** What somebody should look at; the rest is news. */
export function attention(open) {
  return open.filter(({ level }) => level === "critical" || level === "warning");
}

/** A loss while the day lasts is told, but it does not shout: the day may still turn it. */
function weight({ level, provisional }) {
  return provisional ? 1.5 : ORDER.indexOf(level);
}

/** Alerts about one thing are one: about the same metric, else by the same rule. */
function grouped(open) {
  const groups = new Map();
  for (const alert of open) {
    const key = alert.metric === "System" || alert.metric === "Dashboard" ? `${alert.metric} ${alert.rule ?? alert.level}` : alert.metric;
    groups.set(key, [...(groups.get(key) ?? []), alert]);
  }
  return [...groups.values()];
}

/** @param {import("./known.js").Known} known */
export function alerts(known) {
  const { snapshot, stored, announcements, t } = known;
  if (!snapshot.alerts && !stored) return null;
  const open = openAlerts(snapshot, stored);
  const urgent = attention(open);
  const news = open.filter((alert) => !urgent.includes(alert));
  const aside = (stored ?? []).filter(({ state }) => state === "acknowledged" || state === "snoozed");
  return h(
    "section",
    { class: "panel alerts", key: "alerts", id: "alerts", part: "panel", tabindex: "-1", "aria-labelledby": "alerts-title" },
    h("header", {}, h("h2", { id: "alerts-title" }, t("alerts")), urgent.length > 0 && h("p", { class: "note" }, known.format.count(urgent.length))),
    urgent.length === 0 && h("p", { class: "empty" }, icon("check"), t("alerts.none")),
    list(grouped(urgent), known),
    (news.length > 0 || announcements.length > 0) && h("h3", {}, t("news")),
    announcements.length > 0 && h("ul", { class: "announcements" }, announcements.map((message) => announcement(message, known))),
    list(grouped(news), known),
    aside.length > 0 && h("details", { class: "put-off" }, h("summary", {}, t("alerts.aside", { count: aside.length })), h("ul", {}, aside.slice(0, 20).map((alert) => item([alert], known, false)))),
  );
}

function list(groups, known) {
  const items = groups.map((group) => item(group, known, Boolean(known.stored)));
  return [
    h("ul", {}, items.slice(0, SHOWN)),
    items.length > SHOWN && h("details", { class: "put-off" }, h("summary", {}, known.t("alerts.more", { count: items.length - SHOWN })), h("ul", {}, items.slice(SHOWN))),
  ];
}

function item(group, known, withButtons) {
  const [first, ...others] = group;
  const { t, format } = known;
  return h(
    "li",
    { key: first.id, "data-level": first.level, "data-provisional": Boolean(first.provisional), "data-alert": first.id, part: "alert" },
    levelShape(first.provisional ? "info" : first.level),
    h(
      "div",
      {},
      h("p", {}, h("span", { class: "hidden" }, `${t(first.provisional ? "level.so-far" : `level.${first.level}`)}: `), alertText(first, known)),
      h("p", { class: "meta" }, metricName(first.metric, t), " · ", h("time", { datetime: first.timestamp }, format.time(first.timestamp)), first.provisional && ` · ${t("alerts.so-far")}`, standing(first, known)),
      others.length > 0 && h("details", { class: "same" }, h("summary", {}, t("alerts.same", { count: others.length })), h("ul", {}, others.slice(0, 20).map((alert) => h("li", { key: alert.id }, alertText(alert, known))))),
    ),
    withButtons && buttons(group, known),
  );
}

function metricName(metric, t) {
  const key = `metric.${slug(metric)}`;
  return t.has(key) ? t(key) : metric;
}

function standing({ state, snoozed_until: until }, { t, format }) {
  if (state === "acknowledged") return ` · ${t("alerts.acknowledged")}`;
  return state === "snoozed" ? ` · ${t("alerts.until", { time: format.timeExact(until) })}` : null;
}

function buttons(group, known) {
  const { t, actions } = known;
  const text = alertText(group[0], known);
  const ids = group.map(({ id }) => id);
  const menu = `snooze-${ids[0]}`;
  return h(
    "div",
    { class: "actions" },
    h("button", { type: "button", class: "quiet", title: t("acknowledge"), onclick: () => actions.acknowledge(ids) }, icon("check"), h("span", { class: "hidden" }, t("acknowledge.what", { text }))),
    h("button", { type: "button", class: "quiet", title: t("snooze"), popovertarget: menu }, icon("clock"), h("span", { class: "hidden" }, t("snooze.what", { text }))),
    h(
      "div",
      { class: "menu", id: menu, popover: "auto", role: "group", "aria-label": t("snooze") },
      h("p", {}, t("snooze")),
      SNOOZES.map(([name, minutes]) => h("button", { type: "button", key: minutes, popovertarget: menu, popovertargetaction: "hide", onclick: () => actions.snooze(ids, minutes) }, t(name))),
    ),
  );
}

function announcement({ id, level, message, timestamp }, { t, format, actions }) {
  return h(
    "li",
    { key: id, "data-level": level },
    h("svg", { class: "icon level", viewBox: "0 0 16 16", "aria-hidden": "true" }, icon("message").children),
    h("div", {}, h("p", { dir: "auto" }, message), h("p", { class: "meta" }, h("time", { datetime: timestamp }, format.timeExact(timestamp)))),
    h("div", { class: "actions" }, h("button", { type: "button", class: "quiet", title: t("dismiss"), onclick: () => actions.dismiss(id) }, icon("close"), h("span", { class: "hidden" }, t("dismiss")))),
  );
}
