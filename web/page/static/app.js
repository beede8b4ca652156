/** The dashboard page: what is known, what a person can do, and when to draw. */
/** @import { Snapshot } from "./client.js" */
import { alertText } from "./alert_text.js";
import { attention, openAlerts } from "./alerts.js";
import { announcementsOf, dismissAnnouncement, keepAnnouncement } from "./announcements.js";
import { Aside } from "./aside.js";
import { connect } from "./client.js";
import "./chart.js";
import { Documents, shortLists } from "./documents.js";
import { patch } from "./dom.js";
import { tokenFromHost } from "./embed.js";
import { makeFormat } from "./format.js";
import { offerDocuments } from "./figure.js";
import { buttons, help } from "./frame.js";
import { age, bell, state, stateWords } from "./header.js";
import * as keys from "./keys.js";
import { coalesced } from "./loads.js";
import { FIRST_CHOICE } from "./period.js";
import { placePopovers } from "./popovers.js";
import { questionOf, receipt } from "./receipt.js";
import { Toast } from "./toast.js";
import { trouble } from "./trouble.js";
import { dashboard } from "./view.js";
import { loadWords } from "./words.js";

/** A busy tenant has many versions a second; the long form need not follow each, and lists of documents still less. */
const OVERVIEW_EVERY_MS = 2_000;
const ALERTS_EVERY_MS = 1_000;
const AGAIN_MS = 5_000;
const LISTS_EVERY_MS = 30_000;
const FLASH_MS = 1_600;
/** The page is drawn once its parts are there, so that nothing jumps; after this long, with those that are. */
const WHOLE_WITHIN_MS = 1_500;

/** @type {(id: string) => any} Elements of index.html, which are always there. */
const find = (id) => document.getElementById(id);
const setting = (name) => /** @type {HTMLMetaElement | null} */ (document.querySelector(`meta[name="daybook-${name}"]`))?.content ?? "";
const words = (text) => text.split(" ").filter(Boolean);

/** What is known before the first snapshot is less than `Known` says; nothing is drawn from it then. @type {any} */
const known = {
  snapshot: null, overview: null, stored: null, status: null, format: null, t: null, changed: new Set(), actions: null,
  lists: { due: undefined, incoming: undefined }, announcements: [],
  chosenPeriod: new URLSearchParams(location.search).get("period") ?? keys.read("daybook.period") ?? FIRST_CHOICE,
  signInHref: setting("sign-in"), documentHref: ({ kind, id, url }) => url ?? filled(setting("document"), { kind, id }),
};
const hasReceipts = setting("receipts") === "yes";
offerDocuments(hasReceipts);
const toast = new Toast(find("toast"));
const aside = new Aside(toast, draw, complain);
const client = connect({
  baseUrl: setting("base") || undefined,
  getToken: tokenFromHost(words(setting("origins"))),
  onSnapshot: (snapshot) => {
    const before = new Map(known.snapshot?.metrics?.map((metric) => [metric.name, metric.value]));
    flash((snapshot.metrics ?? []).filter(({ name, value }) => before.has(name) && before.get(name) !== value).map(({ name }) => name));
    take(snapshot);
    loadAll();
  },
  onRefresh: take,
  onStatus: (status) => {
    const cameBack = status.state === "live" && known.status?.state !== "live";
    known.status = status;
    if (cameBack && known.snapshot) loadAll();
    draw();
  },
  onAlert: (message) => {
    if (message.type === "notification.new") return keep(message);
    if (message.type === "alert.new" && !message.replay && known.t && known.format) announce(`${known.t(`level.${message.alert.level}`)}: ${alertText(message.alert, known)}`);
    loadAlerts();
  },
});
const documents = new Documents((number, query) => client.receipt(number, query), draw);

function take(snapshot) {
  const { currency, timezone, user_id: tenant } = known.snapshot ?? /** @type {Partial<Snapshot>} */ ({});
  if (tenant !== snapshot.user_id) {
    Object.assign(known, { overview: null, stored: null, lists: { due: undefined, incoming: undefined } });
    known.announcements = announcementsOf(snapshot.user_id);
    setTimeout(settle, WHOLE_WITHIN_MS);
  }
  if (currency !== snapshot.currency || timezone !== snapshot.timezone) known.format = makeFormat(snapshot, navigator.languages);
  known.snapshot = snapshot;
  draw();
}

function flash(names) {
  known.changed = new Set(names);
  if (names.length) setTimeout(() => flash([]), FLASH_MS);
  else draw();
}

let whole = false;
function settle() {
  if (whole) return;
  whole = true;
  followAddress();
  draw();
}

async function loadAll() {
  await Promise.allSettled([loadOverview(), loadAlerts()]);
  settle();
  loadLists();
  documents.refresh();
}

const loadOverview = coalesced(async () => {
  try {
    const overview = await client.overview();
    if (overview.user_id === known.snapshot?.user_id) known.overview = overview;
  } catch {
    // The state in the bar tells; a connection that comes back asks by itself.
    if (known.status?.state === "live") setTimeout(loadOverview, AGAIN_MS);
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
    else if (known.status?.state === "live") setTimeout(loadAlerts, AGAIN_MS);
    return;
  }
  draw();
}, ALERTS_EVERY_MS);

let listsMissed = false;
const loadLists = coalesced(async () => {
  const { local_date: today, state: filled } = /** @type {Snapshot} */ (known.snapshot);
  // A worker makes them: not for a page that nobody sees.
  listsMissed = document.visibilityState !== "visible";
  if (!hasReceipts) {
    known.lists = { due: null, incoming: null };
    return draw();
  }
  if (filled === "no_data" || listsMissed) return;
  known.lists = await shortLists((number, query) => client.receipt(number, query), today, known.lists);
  draw();
}, LISTS_EVERY_MS);

known.actions = {
  retry: () => client.retry(),
  copy: (text) => navigator.clipboard?.writeText(text).then(() => toast.show(known.t("copied"))),
  choosePeriod(name) {
    known.chosenPeriod = name;
    keys.write("daybook.period", name);
    const address = new URL(location.href);
    address.searchParams.set("period", name);
    history.replaceState(null, "", address);
    draw();
  },
  acknowledge: (ids) => aside.put(ids, "acknowledged", (id) => client.acknowledge(id), known.t),
  snooze: (ids, minutes) => aside.put(ids, "snoozed", (id) => client.snooze(id, { minutes }), known.t),
  dismiss(id) {
    known.announcements = dismissAnnouncement(known.snapshot.user_id, id);
    draw();
  },
  closeReceipt: () => find("receipt").close(),
  moreDocuments: () => documents.more(),
  csvHref: ({ number, narrowed }) => client.receiptAddress(number, narrowed),
  csv: (event) => saveCsv(event),
  recalculate, switchTheme, showHelp: () => find("help").showModal(), hideHelp: () => find("help").close(), enableKeys: keys.enable,
};

/** An announcement is kept while the tab is open, to be read again. */
function keep(message) {
  known.announcements = keepAnnouncement(known.snapshot?.user_id, message);
  toast.show(message.message);
  draw();
}

let recalculating = false;
async function recalculate() {
  if (recalculating) return;
  recalculating = true;
  drawBar();
  try {
    const { status, refresh_results: results } = await client.recalculate();
    toast.show(known.t(status === "queued" ? "recalculated.queued" : results?.changed ? "recalculated.changed" : "recalculated.same"));
  } catch (problem) {
    complain(problem);
  }
  recalculating = false;
  drawBar();
}

/** @param {any} problem */
function complain({ retryAfterS, requestId, detail, title }) {
  const parts = [detail || title, retryAfterS && known.t("again-in", { count: retryAfterS }), requestId && `(${known.t("request")} ${requestId})`];
  toast.show(parts.filter(Boolean).join(" "));
}

/** With a cookie the link downloads by itself; a token travels in a header, so the file is fetched and handed over. */
async function saveCsv(event) {
  if (!client.usesToken) return;
  event.preventDefault();
  const { number, narrowed } = documents.shown.question;
  try {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await client.receiptCsv(number, narrowed)), download: `${number}${narrowed.changes ? "-changes" : ""}.csv` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (problem) {
    complain(/** @type {any} */ (problem));
  }
}

function announce(text) {
  find("announcements").textContent = text;
}

let planned = false;
function draw() {
  if (planned || !known.t) return;
  planned = true;
  requestAnimationFrame(() => {
    planned = false;
    drawBar();
    drawPage();
    drawReceipt();
  });
}

function drawBar() {
  const { snapshot, status, format, t } = known;
  if (!t) return;
  const stored = known.stored && aside.apply(known.stored);
  const told = status ?? client.status;
  patch(find("state"), state(/** @type {[string, string]} */ (stateWords(delayed(told), snapshot, known)), told.state === "signed-out" && known.signInHref));
  const urgent = attention(openAlerts(snapshot, stored));
  find("bell").hidden = urgent.length === 0;
  find("bell").dataset.level = urgent.some(({ level, provisional }) => level === "critical" && !provisional) ? "critical" : "warning";
  if (format) patch(find("bell"), bell(urgent, known));
  if (format) patch(find("age"), age(snapshot, client.now(), known));
  patch(find("buttons"), buttons({ theme: keys.theme(), busy: recalculating, t, actions: known.actions }));
  document.body.dataset.state = told.state;
}

function drawPage() {
  const { snapshot, status } = known;
  if (snapshot && whole) {
    document.title = `${snapshot.name ?? snapshot.user_id} · Daybook`;
    patch(find("page"), dashboard({ ...known, stored: known.stored && aside.apply(known.stored), status: delayed(status ?? client.status) }));
  } else if (!snapshot && status && status.state !== "connecting") {
    patch(find("page"), trouble(known));
  }
}

function drawReceipt() {
  const dialog = find("receipt");
  patch(dialog, receipt({ ...known, receipt: documents.shown }));
  if (documents.shown && !dialog.open) dialog.showModal();
  if (!documents.shown && dialog.open) dialog.close();
}

/** The address says which documents are open, so that they can be shared and Back closes them. */
function followAddress() {
  const question = hasReceipts && questionOf(location.hash);
  if (!known.snapshot || !whole || !question) return documents.shown && documents.close();
  // A link from one list to another is gone once it was followed.
  if (documents.shown) find("receipt-title").focus();
  return documents.open(question);
}

function leaveReceipt() {
  if (questionOf(location.hash)) history.pushState(null, "", location.pathname + location.search);
  if (documents.shown) documents.close();
}

/** The server says when it is stale; numbers older than two sweeps are delayed even if nobody said so. */
function delayed(status) {
  const oldest = client.now() - 2 * Number(setting("sweep-s") || 300) * 1000;
  if (status.stale || !known.snapshot || Date.parse(known.snapshot.computed_at) > oldest) return status;
  return { ...status, stale: true, reason: "late" };
}

function filled(template, { kind, id }) {
  if (!template || !id) return null;
  const address = template.replaceAll("{kind}", encodeURIComponent(kind)).replaceAll("{id}", encodeURIComponent(id));
  return /^https?:$/.test(new URL(address, location.href).protocol) ? address : null;
}

function toggleTables() {
  const tables = [.../** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details.data"))];
  const open = tables.some((table) => !table.open);
  for (const table of tables) table.open = open;
}

function switchTheme() {
  keys.nextTheme();
  drawBar();
}

placePopovers(document);
document.addEventListener("visibilitychange", () => listsMissed && loadLists());
addEventListener("hashchange", followAddress);
find("receipt").addEventListener("close", leaveReceipt);
find("receipt").addEventListener("click", (event) => event.target === find("receipt") && find("receipt").close());
keys.listen({ "?": known.actions.showHelp, r: recalculate, t: toggleTables, d: switchTheme, a: () => find("alerts")?.focus() });
known.t = await loadWords(navigator.languages, words(setting("languages")), (language) => new URL(`./messages-${language}.json`, import.meta.url));
document.documentElement.lang = known.t.language;
patch(find("help"), help({ t: known.t, actions: known.actions, keysOn: keys.enabled() }));
draw();
// The age counts on by itself, while somebody looks.
setInterval(() => document.visibilityState === "visible" && drawBar(), 1_000);
