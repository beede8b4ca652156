/**
 * What several elements of one page share: one connection for each viewer of a server, and what is known by it.
 * It ends a moment after its last member has left.
 */
import { connect } from "./client.js";
import { coalesced } from "./loads.js";

const OVERVIEW_EVERY_MS = 2_000;
const AGAIN_MS = 5_000;
const ALERTS_EVERY_MS = 1_000;
const FLASH_MS = 1_600;
/** An element that is moved in the document leaves and comes back at once. */
const LINGER_MS = 1_000;
/** Claims that differ between two tokens of the same viewer. */
const OF_THE_TOKEN = new Set(["iat", "exp", "nbf", "jti"]);

/** One for the whole page, however many copies of this module it has. @type {Map<unknown, Live>} */
const lives = (/** @type {any} */ (globalThis)[Symbol.for("daybook.lives")] ??= new Map());

/**
 * Joins the connection of whom the token stands for, or opens it.
 * @param {string} baseUrl
 * @param {{ needs: string[], getToken?: () => string | Promise<string>, told: (kind: string, detail?: any) => void }} member
 *   needs: "overview", "alerts". told: "status", "snapshot", "alert", or anything else that is new to draw.
 */
export async function join(baseUrl, member) {
  /** @type {string | undefined} */
  let token;
  let viewer;
  try {
    token = await member.getToken?.();
    viewer = `${baseUrl} ${member.getToken ? claimsOf(token) : "cookie"}`;
  } catch {
    // Nobody knows whose this is: a connection of its own, which says so and asks again.
    viewer = member;
  }
  const live = lives.get(viewer) ?? new Live(baseUrl, viewer, token, Boolean(member.getToken));
  lives.set(viewer, live);
  live.add(member);
  return live;
}

/** What a token says of its viewer; the token itself where it is no JWT. */
function claimsOf(token) {
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    return JSON.stringify(Object.entries(claims).filter(([name]) => !OF_THE_TOKEN.has(name)).toSorted());
  } catch {
    return token;
  }
}

export class Live {
  /** @type {any} */
  known = { snapshot: null, overview: null, stored: null, status: null, changed: new Set() };
  client;
  #members = new Set();
  #viewer;
  /** @type {string | undefined} */
  #first;
  #alertsKept = true;
  /** @type {Record<string, any>} */
  #timers = {};

  constructor(baseUrl, viewer, token, usesToken) {
    this.#viewer = viewer;
    this.#first = token;
    this.client = connect({
      baseUrl,
      getToken: usesToken ? () => this.#token() : undefined,
      onSnapshot: (snapshot) => this.#take(snapshot),
      onRefresh: (snapshot) => {
        this.known.snapshot = snapshot;
        this.#tell("refresh");
      },
      onStatus: (status) => this.#report(status),
      onAlert: (message) => {
        if (message.type.startsWith("alert.")) this.#loadAlerts();
        this.#tell("alert", message);
      },
    });
    this.known.status = this.client.status;
  }

  add(member) {
    clearTimeout(this.#timers.linger);
    this.#members.add(member);
    if (this.known.snapshot) this.#load();
  }

  leave(member) {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    this.#timers.linger = setTimeout(() => {
      Object.values(this.#timers).forEach(clearTimeout);
      lives.delete(this.#viewer);
      this.client.close();
    }, LINGER_MS);
  }

  /** The first token has been asked for already, to know whose it is; later ones come from any member. */
  #token() {
    const token = this.#first;
    this.#first = undefined;
    return token ?? [...this.#members].find(({ getToken }) => getToken)?.getToken();
  }

  #take(snapshot) {
    const { known } = this;
    if (known.snapshot?.user_id !== snapshot.user_id) Object.assign(known, { overview: null, stored: null });
    const before = new Map(known.snapshot?.metrics?.map((metric) => [metric.name, metric.value]));
    const changed = (snapshot.metrics ?? []).filter(({ name, value }) => before.has(name) && before.get(name) !== value);
    known.snapshot = snapshot;
    this.#flash(changed.map(({ name }) => name));
    this.#tell("snapshot", snapshot);
    this.#load();
  }

  #flash(names) {
    this.known.changed = new Set(names);
    clearTimeout(this.#timers.flash);
    if (names.length) this.#timers.flash = setTimeout(() => this.#flash([]), FLASH_MS);
    else this.#tell("drawn");
  }

  #report(status) {
    const cameBack = status.state === "live" && this.known.status?.state !== "live";
    this.known.status = status;
    if (cameBack && this.known.snapshot) this.#load();
    this.#tell("status", status);
  }

  #wanted(name) {
    return [...this.#members].some(({ needs }) => needs.includes(name));
  }

  #load() {
    if (this.#wanted("overview")) this.#loadOverview();
    if (this.#wanted("alerts")) this.#loadAlerts();
  }

  #loadOverview = coalesced(async () => {
    try {
      const overview = await this.client.overview();
      if (overview.user_id === this.known.snapshot?.user_id) this.known.overview = overview;
    } catch {
      // The state tells; a connection that comes back asks by itself.
      if (this.known.status.state === "live") this.#timers.overview = setTimeout(() => this.#loadOverview(), AGAIN_MS);
      return;
    }
    this.#tell("overview");
  }, OVERVIEW_EVERY_MS);

  #loadAlerts = coalesced(async () => {
    if (!this.#alertsKept) return;
    try {
      this.known.stored = (await this.client.alerts()).alerts;
      this.client.listenForAlerts();
    } catch (/** @type {any} */ problem) {
      // A server without stored alerts: those of the snapshot are shown, without buttons.
      if (problem.status === 404 || problem.status === 405) this.#alertsKept = false;
      else if (this.known.status.state === "live") this.#timers.alerts = setTimeout(() => this.#loadAlerts(), AGAIN_MS);
      return;
    }
    this.#tell("alerts");
  }, ALERTS_EVERY_MS);

  #tell(kind, detail) {
    for (const member of this.#members) member.told(kind, detail);
  }
}
