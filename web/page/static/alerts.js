/** What needs attention: the alerts, to be acknowledged or put off where the server keeps them. */
import { h } from "./dom.js";
import { icon, levelShape } from "./marks.js";

const ORDER = ["critical", "warning", "success", "info"];
const SNOOZES = [
  ["1 hour", 60],
  ["4 hours", 240],
  ["1 day", 1440],
];

/** The alerts that are still open, most severe first; `stored` is null where the server keeps none. */
export function openAlerts(snapshot, stored) {
  const open = stored ? stored.filter(({ state }) => state === "open") : (snapshot?.alerts ?? []);
  return open.toSorted((a, b) => ORDER.indexOf(a.level) - ORDER.indexOf(b.level));
}

export function alerts({ snapshot, stored, format, actions }) {
  const open = openAlerts(snapshot, stored);
  const put = (stored ?? []).filter(({ state }) => state === "acknowledged" || state === "snoozed");
  return h(
    "section",
    { class: "panel alerts", key: "alerts", id: "alerts", tabindex: "-1", "aria-labelledby": "alerts-title" },
    h("header", {}, h("h2", { id: "alerts-title" }, "Needs attention"), open.length > 0 && h("p", { class: "note" }, format.count(open.length))),
    open.length === 0 && h("p", { class: "empty" }, icon("check"), "Nothing. All is well."),
    h("ul", {}, open.map((alert) => item(alert, format, stored ? actions : null))),
    put.length > 0 &&
      h("details", { class: "put-off" }, h("summary", {}, `${format.count(put.length)} put aside`), h("ul", {}, put.map((alert) => item(alert, format, null)))),
  );
}

function item(alert, format, actions) {
  return h(
    "li",
    { key: alert.id, "data-level": alert.level, "data-alert": alert.id },
    levelShape(alert.level),
    h(
      "div",
      {},
      h("p", {}, h("span", { class: "hidden" }, `${alert.level}: `), alert.message),
      h("p", { class: "meta" }, alert.metric, " · ", h("time", { datetime: alert.timestamp }, format.time(alert.timestamp)), alert.provisional && " · may change until the day ends", aside(alert, format)),
    ),
    actions && buttons(alert, actions),
  );
}

function aside({ state, snoozed_until: until }, format) {
  if (state === "acknowledged") return " · acknowledged";
  return state === "snoozed" ? ` · until ${format.timeExact(until)}` : null;
}

function buttons({ id, message }, actions) {
  return h(
    "div",
    { class: "actions" },
    h("button", { type: "button", class: "quiet", title: "Acknowledge", onclick: () => actions.acknowledge(id) }, icon("check"), h("span", { class: "hidden" }, `Acknowledge: ${message}`)),
    h("button", { type: "button", class: "quiet", title: "Remind me later", popovertarget: `snooze-${id}` }, icon("clock"), h("span", { class: "hidden" }, `Snooze: ${message}`)),
    h(
      "div",
      { class: "menu", id: `snooze-${id}`, popover: "auto", role: "group", "aria-label": "Remind me in" },
      h("p", {}, "Remind me in"),
      SNOOZES.map(([text, minutes]) => h("button", { type: "button", key: minutes, popovertarget: `snooze-${id}`, popovertargetaction: "hide", onclick: () => actions.snooze(id, minutes) }, text)),
    ),
  );
}
