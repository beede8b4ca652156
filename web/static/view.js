/** The whole page below the bar, described from what is known: a snapshot or not, an overview or not, a problem or not. */
import { alerts } from "./alerts.js";
import { cards } from "./cards.js";
import { h } from "./dom.js";
import { flows } from "./flows.js";
import { forecast } from "./forecast.js";
import { delayNotice } from "./header.js";
import { expenseCategories, quotes, topClients } from "./ranks.js";
import { receivables } from "./receivables.js";
import { score } from "./score.js";

/** Numbers are there: the page. */
export function dashboard(known) {
  const { snapshot, overview, status, format } = known;
  const full = snapshot.state !== "no_data";
  return [
    delayNotice(status, snapshot, format),
    title(snapshot, format),
    snapshot.data_issues.map(({ code, detail, currency }) => h("p", { class: "notice", key: `${code} ${currency ?? ""}` }, detail, currency && `. Amounts in ${currency} are left out where it is missing.`)),
    !full && welcome(),
    cards(known),
    h(
      "div",
      { class: "grid", key: "grid" },
      full && overview && flows(known),
      alerts(known),
      full && overview && [receivables(known), score(known), forecast(known), quotes(known), topClients(known), expenseCategories(known)],
      full && !overview && [1, 2, 3].map((at) => h("section", { class: "panel loading", key: `loading${at}`, "aria-hidden": "true" })),
    ),
    footer(snapshot, format),
  ];
}

function title({ name, user_id: id, local_date: day, basis, currency }, format) {
  return h(
    "div",
    { class: "title", key: "title" },
    h("h1", {}, name ?? id),
    h("p", {}, format.dayLong(day), h("span", {}, ` · ${format.place} time · ${currency} · ${basis} basis`)),
  );
}

function welcome() {
  return h(
    "section",
    { class: "panel welcome", key: "welcome" },
    h("h2", {}, "Nothing posted yet"),
    h("p", {}, "Post the first invoice, payment or expense, and this page fills by itself: no reload needed."),
    h("ol", {}, ["An invoice moves revenue and what clients owe.", "A payment moves cash flow.", "After a few weeks there is a score, a forecast and a line of past days."].map((text) => h("li", { key: text }, text))),
  );
}

function footer({ computed_at: computed, as_of: read, version }, format) {
  return h(
    "footer",
    { key: "footer" },
    h("p", {}, `Database read ${format.timeExact(read)}, computed ${format.time(computed)}, version ${version}`),
    h("p", { class: "hints" }, [["R", "recalculate"], ["T", "tables"], ["?", "help"]].map(([key, text]) => h("span", { key }, h("kbd", {}, key), ` ${text}`))),
  );
}

/** No numbers: why not, what to do, and the id that finds the request in the logs. */
export function trouble({ status, actions }) {
  const { problem, state } = status;
  const [headline, text] = explain(state, problem);
  return h(
    "section",
    { class: "trouble", key: "trouble", role: "alert" },
    h("h1", {}, headline),
    h("p", {}, text),
    state !== "denied" && h("button", { type: "button", class: "primary", onclick: actions.retry }, "Try again"),
    problem?.requestId && h("p", { class: "request" }, "Request ", h("code", {}, problem.requestId), h("button", { type: "button", class: "quiet", onclick: () => actions.copy(problem.requestId) }, "Copy")),
  );
}

function explain(state, problem) {
  if (state === "signed-out") return ["Sign in to see your numbers", "This browser is not signed in, or its session has ended. Open the dashboard from your product again; it continues here by itself."];
  if (state === "denied") return ["This dashboard is not yours to see", problem?.detail || "The session belongs to somebody else. Sign in with the right account."];
  if (problem?.status === 404) return ["There is no such business", "The session is valid, but no business is known under it."];
  if (problem?.status === 429) return ["Too many requests", "The dashboard pauses for a moment and continues by itself."];
  if (problem?.status === 503) return ["The first numbers are on their way", "They are being computed, or a service is starting. The page tries again by itself."];
  if (!problem?.status) return ["The server cannot be reached", "Check the network. The page tries again by itself."];
  return [problem.title, problem.detail || "The page tries again by itself."];
}
