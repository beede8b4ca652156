/** No numbers: why not, what to do, and the id that finds the request in the logs. */
import { h } from "./dom.js";

/** @param {import("./known.js").Known} known */
export function trouble({ status, actions, signInHref, t }) {
  const { problem, state } = status;
  const [headline, text] = explain(state, problem, t);
  return h(
    "section",
    { class: "trouble", key: "trouble", role: "alert" },
    h("h1", {}, headline),
    h("p", {}, text),
    state === "signed-out" && signInHref && h("a", { class: "primary", href: signInHref, target: "_top" }, t("sign-in")),
    state !== "denied" && h("button", { type: "button", class: state === "signed-out" && signInHref ? null : "primary", onclick: actions.retry }, t("try-again")),
    problem?.requestId && h("p", { class: "request" }, t("request"), " ", h("code", {}, problem.requestId), h("button", { type: "button", class: "quiet", onclick: () => actions.copy(problem.requestId) }, t("copy"))),
  );
}

function explain(state, problem, t) {
  const told = (key) => [t(`trouble.${key}`), t(`trouble.${key}.text`)];
  if (state === "signed-out") return told("signed-out");
  if (problem?.code === "unknown_view") return told("unknown-view");
  if (state === "denied") return told("denied");
  if (problem?.status === 404) return told("unknown");
  if (problem?.status === 429) return told("too-many");
  if (problem?.status === 503) return told("on-their-way");
  if (!problem?.status) return told("unreachable");
  return [problem.title, problem.detail || t("trouble.again")];
}
