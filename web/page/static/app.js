/** The dashboard page: what is known, what a person can do, and when to draw. */
/** @import { Overview, Snapshot, Status, StoredAlert } from "./client.js" */
import { openAlerts } from "./alerts.js";
import { connect } from "./client.js";
import { patch } from "./dom.js";
import { tokenFromHost } from "./embed.js";
import { makeFormat } from "./format.js";
import { showAge, showBell, showState, stateWords } from "./header.js";
import * as keys from "./keys.js";
import { dashboard, trouble } from "./view.js";

/** A busy tenant has many versions a second; the long form need not follow each. */
const OVERVIEW_EVERY_MS = 2_000;
const OVERVIEW_AGAIN_MS = 5_000;
const ALERTS_EVERY_MS = 1_000;
const FLASH_MS = 1_600;

/** @type {(id: string) => any} Elements of index.html, which are always there. */
const find = (id) => document.getElementById(id);
const setting = (name) => /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="daybook-${name}"]`))?.content ?? "";

/**
 * @type {{ snapshot: Snapshot | null, overview: Overview | null, stored: StoredAlert[] | null, status: Status | null,
 *   format: any, changed: Set<string>, actions: any }}
 */
const known = { snapshot: null, overview: null, stored: null, status: null, format: null, changed: new Set(), actions: null };
const client = connect({
  getToken: tokenFromHost(setting("origins").split(" ").filter(Boolean)),
  onSnapshot: (snapshot) => {
    const before = new Map(known.snapshot?.metrics.map((metric) => [metric.name, metric.value]));
    flash(snapshot.metrics.filter(({ name, value }) => before.has(name) && before.get(name) !== value).map(({ name }) => name));
    take(snapshot);
    loadOverview();
    loadAlerts();
  },
  onRefresh: take,
  onStatus: (status) => {
    const cameBack = status.state === "live" && known.status?.state !== "live";
    known.status = status;
    if (cameBack && known.snapshot) {
      loadOverview();
      loadAlerts();
    }
    draw();
  },
  onAlert: (message) => {
    if (message.type === "alert.new" && !message.replay) announce(`${message.alert.level}: ${message.alert.message}`);
    if (message.type === "notification.new") toast(message.message);
    else loadAlerts();
  },
});

function take(snapshot) {
  const { currency, timezone, user_id: tenant } = known.snapshot ?? /** @type {Partial<Snapshot>} */ ({});
  if (tenant !== snapshot.user_id) known.overview = known.stored = null;
  if (currency !== snapshot.currency || timezone !== snapshot.timezone) known.format = makeFormat(snapshot, navigator.languages);
  known.snapshot = snapshot;
  draw();
}

function flash(names) {
  known.changed = new Set(names);
  if (names.length) setTimeout(() => flash([]), FLASH_MS);
  else draw();
}

/** Runs `load` now, and once more afterwards if it was asked for meanwhile; at most every `everyMs`. */
function coalesced(load, everyMs) {
  let running = false;
  let again = false;
  return async function run() {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      await load();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
    running = false;
  };
}

const loadOverview = coalesced(async () => {
  try {
    const overview = await client.overview();
    if (overview.user_id === known.snapshot?.user_id) known.overview = overview;
  } catch {
    // The state in the bar tells; a connection that comes back asks by itself.
    if (known.status?.state === "live") setTimeout(loadOverview, OVERVIEW_AGAIN_MS);
    return;
  }
  draw();
}, OVERVIEW_EVERY_MS);

let alertsKept = true;
const loadAlerts = coalesced(async () => {
  if (!alertsKept) return;
  try {
    known.stored = (await client.alerts()).alerts;
    client.listenForAlerts();
  } catch (/** @type {any} */ problem) {
    // A server without stored alerts: those of the snapshot are shown, without buttons.
    if (problem.status === 404 || problem.status === 405) alertsKept = false;
    return;
  }
  draw();
}, ALERTS_EVERY_MS);

known.actions = {
  retry: () => client.retry(),
  copy: (text) => navigator.clipboard?.writeText(text).then(() => toast("Copied")),
  acknowledge: (id) => command(client.acknowledge(id), id, "acknowledged"),
  snooze: (id, minutes) => command(client.snooze(id, { minutes }), id, "snoozed"),
};

async function command(answer, id, state) {
  try {
    await answer;
    known.stored = known.stored?.map((alert) => (alert.id === id ? { ...alert, state } : alert)) ?? null;
    draw();
  } catch (problem) {
    complain(problem);
  }
}

async function recalculate() {
  const button = find("recalculate");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true");
  try {
    const { status, refresh_results: results } = await client.recalculate();
    toast(status === "queued" ? "Recalculation is queued" : results?.changed ? "Recalculated: there was something new" : "Recalculated: nothing has changed");
  } catch (problem) {
    complain(problem);
  }
  button.removeAttribute("aria-disabled");
}

function complain(problem) {
  const wait = problem.retryAfterS ? ` Try again in ${problem.retryAfterS} s.` : "";
  toast(`${problem.detail || problem.title}${wait}${problem.requestId ? ` (request ${problem.requestId})` : ""}`);
}

let toastTimer;
function toast(text) {
  find("toast").textContent = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (find("toast").textContent = ""), 6_000);
}

function announce(text) {
  find("announcements").textContent = text;
}

let planned = false;
function draw() {
  if (planned) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    drawBar();
    drawPage();
  });
}

function drawBar() {
  const { snapshot, status, format, stored } = known;
  if (status) showState(find("state"), stateWords(delayed(status), snapshot, format));
  showBell(find("bell"), openAlerts(snapshot, stored));
  showAge(find("age"), snapshot, client.now(), format);
  document.body.dataset.state = status?.state ?? "connecting";
}

function drawPage() {
  const { snapshot, status } = known;
  if (snapshot) {
    document.title = `${snapshot.name ?? snapshot.user_id} · Daybook`;
    patch(find("page"), dashboard({ ...known, status: delayed(status ?? client.status) }));
  } else if (status && status.state !== "connecting") {
    patch(find("page"), trouble(known));
  }
}

/** The server says when it is stale; numbers older than two sweeps are delayed even if nobody said so. */
function delayed(status) {
  const oldest = client.now() - 2 * Number(setting("sweep-s") || 300) * 1000;
  if (status.stale || !known.snapshot || Date.parse(known.snapshot.computed_at) > oldest) return status;
  return { ...status, stale: true, reason: "late" };
}

function toggleTables() {
  const tables = [.../** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details.data"))];
  const open = tables.some((table) => !table.open);
  for (const table of tables) table.open = open;
}

function showTheme() {
  const name = { system: "System theme", light: "Light theme", dark: "Dark theme" }[keys.theme()];
  find("theme").title = name;
  find("theme-name").textContent = name;
}

function switchTheme() {
  keys.nextTheme();
  showTheme();
}

/** A popover stands under the button that opened it, inside the window. */
function place(event) {
  const popover = event.target;
  if (event.newState !== "open" || !popover.matches?.(".why, .menu")) return;
  const opener = /** @type {Element} */ (document.querySelector(`[popovertarget="${CSS.escape(popover.id)}"]`));
  const button = opener.getBoundingClientRect();
  const left = Math.min(Math.max(8, button.right - popover.offsetWidth), innerWidth - popover.offsetWidth - 8);
  const below = button.bottom + 6 + popover.offsetHeight < innerHeight;
  popover.style.left = `${left}px`;
  popover.style.top = `${Math.max(8, below ? button.bottom + 6 : button.top - popover.offsetHeight - 6)}px`;
}

const help = find("help");
find("recalculate").addEventListener("click", recalculate);
find("theme").addEventListener("click", switchTheme);
find("show-help").addEventListener("click", () => help.showModal());
find("close-help").addEventListener("click", () => help.close());
find("keys-on").checked = keys.enabled();
find("keys-on").addEventListener("change", (event) => keys.enable(event.target.checked));
document.addEventListener("toggle", place, true);
keys.listen({ "?": () => help.showModal(), r: recalculate, t: toggleTables, d: switchTheme, a: () => find("alerts")?.focus() });
showTheme();
// The age counts on by itself, while somebody looks.
setInterval(() => document.visibilityState === "visible" && drawBar(), 1_000);
