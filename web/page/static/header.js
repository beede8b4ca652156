/** The bar at the top: connection state in words and shape, the age of the numbers, the count of open alerts. */
import { h, patch } from "./dom.js";
import { age } from "./format.js";
import { icon } from "./marks.js";

const SHAPES = {
  live: "M10 6A4 4 0 1 1 2 6a4 4 0 0 1 8 0Z",
  busy: "M6 2a4 4 0 1 1-4 4",
  delayed: "M6 1.5 11 10.5H1Z",
  offline: "M2.5 2.5h7v7h-7Z",
  locked: "M3 5.5h6v4.5H3ZM4.3 5.5V4a1.7 1.7 0 0 1 3.4 0v1.5",
};

const REASONS = {
  redis_unavailable: "The store of the numbers does not answer.",
  channel_silent: "Change notices do not arrive.",
  workers_silent: "Nothing is being computed at the moment.",
  database_unavailable: "The database does not answer.",
  computation_failing: "These numbers cannot be computed at the moment.",
  snapshot_missing: "The store lost these numbers; they are computed anew.",
  late: "The last computation is overdue.",
  unknown_tenant: "These books are not in the database at the moment.",
};

/** What the connection's state is called, and the shape beside it. `format` is null before the first snapshot. */
export function stateWords(status, snapshot, format) {
  const from = snapshot && format ? `, showing data from ${format.time(snapshot.computed_at)}` : "";
  switch (status.state) {
    case "live":
      if (status.reason === "unknown_tenant") return ["busy", `Waiting${from}`];
      return status.stale ? ["delayed", `Delayed${from}`] : ["live", "Live"];
    case "reconnecting":
      return ["busy", "Reconnecting"];
    case "offline":
      return ["offline", `Offline${from}`];
    case "signed-out":
      return ["locked", "Sign in again"];
    case "denied":
      return ["locked", "No access"];
    case "closed":
      return ["offline", "Closed"];
    default:
      return ["busy", "Connecting"];
  }
}

export function showState(element, words) {
  const [shape, text] = words;
  patch(element, h("span", { class: `state ${shape}` }, h("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, h("path", { d: SHAPES[shape] })), text));
}

/** Freshness is the age of the server's computation, whatever arrived since. */
export function showAge(element, snapshot, nowMs, format) {
  if (!snapshot) return;
  patch(element, h("time", { datetime: snapshot.computed_at, title: format.timeExact(snapshot.computed_at) }, `Updated ${age(nowMs - Date.parse(snapshot.computed_at))} ago`));
}

export function showBell(element, open) {
  const count = open.length;
  element.hidden = count === 0;
  element.dataset.level = open[0]?.level ?? "";
  patch(element, [icon("bell"), h("b", { "aria-hidden": "true" }, count), h("span", { class: "hidden" }, `${count} ${count === 1 ? "alert" : "alerts"}`)]);
}

/** A line under the bar when the numbers are not fresh: why, and since when. */
export function delayNotice(status, snapshot, format) {
  if (!status.stale || status.state !== "live") return null;
  const since = status.staleSince ?? snapshot.computed_at;
  return h("p", { class: "notice", key: "delay" }, icon("clock"), REASONS[status.reason] ?? "The numbers are not fresh.", ` You see those from ${format.time(snapshot.computed_at)}; waiting since ${format.time(since)}. They move again by themselves.`);
}
