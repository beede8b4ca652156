/** The bar at the top: connection state in words and shape, the age of the numbers, what needs attention, the buttons. */
import { h } from "./dom.js";
import { icon } from "./marks.js";

const SHAPES = {
  live: "M10 6A4 4 0 1 1 2 6a4 4 0 0 1 8 0Z",
  busy: "M6 2a4 4 0 1 1-4 4",
  delayed: "M6 1.5 11 10.5H1Z",
  offline: "M2.5 2.5h7v7h-7Z",
  locked: "M3 5.5h6v4.5H3ZM4.3 5.5V4a1.7 1.7 0 0 1 3.4 0v1.5",
};

/** What the connection's state is called, and the shape beside it. `format` is null before the first snapshot. */
export function stateWords(status, snapshot, { t, format }) {
  const from = (key) => (snapshot && format ? t(`${key}.from`, { time: format.time(snapshot.computed_at) }) : t(key));
  switch (status.state) {
    case "live":
      if (status.reason === "unknown_tenant") return ["busy", from("state.waiting")];
      return status.stale ? ["delayed", from("state.delayed")] : ["live", t("state.live")];
    case "reconnecting":
      return ["busy", t("state.reconnecting")];
    case "offline":
      return ["offline", from("state.offline")];
    case "signed-out":
      return ["locked", t("state.signed-out")];
    case "denied":
      return ["locked", t("state.denied")];
    case "closed":
      return ["offline", t("state.closed")];
    default:
      return ["busy", t("state.connecting")];
  }
}

/** The state for `role=status`; with an address to sign in at, it leads there. */
export function state([shape, text], signInHref) {
  const content = [h("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, h("path", { d: SHAPES[shape] })), text];
  return signInHref ? h("a", { class: `state ${shape}`, href: signInHref, target: "_top", key: "link" }, content) : h("span", { class: `state ${shape}`, key: "text" }, content);
}

/** Freshness is the age of the server's computation, whatever arrived since. */
export function age(snapshot, nowMs, { t, format }) {
  if (!snapshot) return null;
  return h("time", { datetime: snapshot.computed_at, title: format.timeExact(snapshot.computed_at) }, t("updated", { ago: t.ago(nowMs - Date.parse(snapshot.computed_at)) }));
}

export function bell(urgent, { t, format }) {
  const count = urgent.length;
  return [icon("bell"), h("b", { "aria-hidden": "true" }, format.count(count)), h("span", { class: "hidden" }, t("bell", { count }))];
}

/** A line under the bar when the numbers are not fresh: why, since when, and whether that ends by itself. @param {import("./known.js").Known} known */
export function delayNotice({ status, snapshot, stored, t, format }) {
  if (!status.stale || status.state !== "live") return null;
  const failing = status.reason === "computation_failing";
  const known = t.has(`stale.${status.reason}`) ? t(`stale.${status.reason}`) : t("stale");
  const why = (stored?.filter(({ state }) => state !== "cleared") ?? snapshot.alerts ?? []).find(({ metric }) => metric === "System");
  const times = { from: format.time(snapshot.computed_at), since: format.time(status.staleSince ?? snapshot.computed_at) };
  return h("p", { class: "notice", key: "delay" }, icon("clock"), h("span", {}, failing && why ? `${t("stale.cannot", { why: why.message })} ` : `${known} `, t(failing ? "stale.times.failing" : "stale.times", times)));
}
