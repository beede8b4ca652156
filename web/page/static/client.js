/**
 * The browser client: `connect()` gives the snapshot now, every newer one, the connection's state and the alerts.
 * Types and documentation: client.d.ts.
 */
import { Channel } from "./channel.js";
import { ProblemError } from "./problem.js";

export { ProblemError };

const API = "api/dashboard";
/** Out of reach for this long is called offline, not reconnecting. */
const OFFLINE_AFTER_MS = 15_000;
/** A token is replaced this long before it runs out, so that the connection never notices. */
const RENEW_BEFORE_MS = 30_000;
const RECEIPT_ATTEMPTS = 10;
/** Messages whose timestamp is the moment they were sent. */
const SENT_NOW = new Set(["connection.established", "pong"]);

/** Opens a live connection to one tenant's dashboard; see client.d.ts for the options. */
export function connect(options = {}) {
  const client = new Client(options);
  client.start();
  return client;
}

/** Whether `next` may follow `held`: a later revision of the same epoch, or another epoch. */
export function isNewer(next, held) {
  if (!held) return true;
  const [epoch, revision] = split(next);
  const [heldEpoch, heldRevision] = split(held);
  return epoch !== heldEpoch || revision > heldRevision;
}

class Client {
  snapshot = null;
  status = { state: "connecting", since: Date.now(), stale: false, staleSince: null, reason: null, retryAt: null, problem: null };
  #options;
  #base;
  #userId;
  #token = null;
  #pushes = 0;
  #clockOffsetMs = 0;
  #downSince = null;
  #timers = {};
  #main;
  #notifications = null;

  constructor(options) {
    this.#options = options;
    this.#base = folder(new URL(options.baseUrl ?? "/", location.href));
    this.#userId = options.userId ?? null;
    this.#main = new Channel({
      prepare: (why) => this.#prepare(why),
      message: (message) => this.#receive(message),
      up: () => this.#up(),
      down: (end) => this.#down(end),
      stopped: (problem) => this.#report({ state: "denied", problem: problem ?? null, retryAt: null }),
    });
  }

  start() {
    this.#main.run();
  }

  /** The server's clock, in milliseconds, as far as its messages tell: a viewer's clock may be wrong by hours. */
  now() {
    return Date.now() + this.#clockOffsetMs;
  }

  retry() {
    this.#main.nudge({ asked: true });
    this.#notifications?.nudge({ asked: true });
  }

  close() {
    Object.values(this.#timers).forEach(clearTimeout);
    this.#main.close();
    this.#notifications?.close();
    this.#report({ state: "closed", retryAt: null });
  }

  requestUpdate() {
    return this.#main.send({ type: "request_update" });
  }

  configure({ updateInterval }) {
    return this.#main.send({ type: "configure", config: { update_interval: updateInterval } });
  }

  overview() {
    return this.#json("/overview/");
  }

  /** The documents behind a number: asked for again while they are being made (202). */
  async receipt(number, query = {}) {
    const path = this.#receiptPath(number, query);
    for (let attempt = 0; attempt < RECEIPT_ATTEMPTS; attempt += 1) {
      const response = await this.#fetch(path);
      if (response.status !== 202) return response.json();
      await new Promise((resolve) => setTimeout(resolve, 1000 * Number(response.headers.get("Retry-After") || 1)));
    }
    throw new ProblemError({ status: 503, code: "receipt_slow", title: "The documents are not ready yet" });
  }

  /** Where all documents of a number are, as CSV; with a token, `receiptCsv` fetches them. */
  receiptAddress(number, query = {}) {
    return new URL(API + this.#receiptPath(number, { ...query, format: "csv" }), this.#base).href;
  }

  async receiptCsv(number, query = {}) {
    return (await this.#fetch(this.#receiptPath(number, { ...query, format: "csv" }))).blob();
  }

  #receiptPath(number, query) {
    const search = new URLSearchParams(query).toString();
    return `/receipts/${encodeURIComponent(number)}/${search && `?${search}`}`;
  }

  /** Whether a token is the credential, rather than the cookie. */
  get usesToken() {
    return Boolean(this.#options.getToken);
  }

  async recalculate({ wait = true, idempotencyKey } = {}) {
    const headers = idempotencyKey ? { "Idempotency-Key": idempotencyKey } : {};
    const result = await this.#json(`/realtime/recalculate/${wait ? "" : "?wait=0"}`, { method: "POST", headers });
    // A change is pushed; that nothing changed, and when that was found, is not.
    if (result.refresh_results) await this.#fetchSnapshot();
    return result;
  }

  alerts() {
    return this.#json("/alerts/");
  }

  acknowledge(alertId) {
    return this.#json(`/alerts/${encodeURIComponent(alertId)}/acknowledge/`, { method: "POST" });
  }

  snooze(alertId, { minutes, until }) {
    const body = minutes === undefined ? { until } : { minutes };
    const headers = { "Content-Type": "application/json" };
    return this.#json(`/alerts/${encodeURIComponent(alertId)}/snooze/`, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /** Opens the notifications socket; `onAlert` gets its messages. Twice is once. */
  listenForAlerts() {
    if (this.#notifications) return;
    this.#notifications = new Channel({
      prepare: async ({ renew }) => {
        if (renew) await this.#renew();
        return this.#socketAddress(`ws/dashboard/notifications/${encodeURIComponent(this.#userId)}/`);
      },
      message: (message) => /^(alert|notification)\./.test(message.type) && this.#options.onAlert?.(message),
      up: () => {},
      down: () => {},
      stopped: () => {},
    });
    this.#notifications.run();
  }

  /** Before a socket is opened: the snapshot at once, and the reason when the server would refuse. */
  async #prepare({ refused, renew, blocked }) {
    if (renew) await this.#renew();
    if (refused || renew || !this.#userId) await this.#fetchSnapshot();
    if (blocked) return this.#address(`${API}/streaming/aggregate/`);
    return this.#socketAddress(`ws/dashboard/${encodeURIComponent(this.#userId)}/`);
  }

  async #fetchSnapshot() {
    const pushes = this.#pushes;
    const response = await this.#fetch("/realtime/aggregate/");
    const snapshot = await response.json();
    this.#compareClocks(response.headers.get("Date"));
    if (this.#userId !== snapshot.user_id) this.#meet(snapshot.user_id);
    // What a socket pushed while this answer was on its way is newer than the answer, whatever its epoch, and so is its status.
    if (pushes === this.#pushes) this.#take(snapshot);
  }

  /** The credential stands for another tenant than before: somebody else signed in. Nothing of the old one is kept. */
  #meet(userId) {
    if (this.#options.userId && this.#options.userId !== userId) {
      throw new ProblemError({ status: 403, code: "other_tenant", title: "Signed in as somebody else" });
    }
    this.#userId = userId;
    this.snapshot = null;
  }

  /** The Date header counts whole seconds: good enough to notice a wrong clock before the socket tells the time exactly. */
  #compareClocks(date) {
    const offset = Date.parse(date ?? "") - Date.now();
    if (this.#pushes === 0 && Math.abs(offset) > 2_000) this.#clockOffsetMs = offset;
  }

  #take(snapshot) {
    const held = this.snapshot;
    if (isNewer(snapshot.version, held?.version)) {
      this.snapshot = snapshot;
      this.#options.onSnapshot?.(snapshot);
    } else if (snapshot.version === held.version && (snapshot.computed_at > held.computed_at || snapshot.stale !== held.stale)) {
      this.snapshot = snapshot;
      this.#options.onRefresh?.(snapshot);
    } else if (snapshot.version !== held.version) {
      return;
    }
    // Of the very same snapshot too: after a reconnect nothing else tells that data is fresh again.
    if (!snapshot.stale && this.status.stale) this.#report({ stale: false, staleSince: null, reason: null });
    else if (snapshot.stale && !this.status.stale) this.#report({ stale: true, staleSince: snapshot.computed_at, reason: null });
  }

  #receive(message) {
    if (message.timestamp && SENT_NOW.has(message.type)) this.#clockOffsetMs = Date.parse(message.timestamp) - Date.now();
    if (message.type === "dashboard.update") {
      this.#pushes += 1;
      this.#take(message.data);
    } else if (message.type === "dashboard.status") {
      this.#pushes += 1;
      this.#report({ stale: message.stale, staleSince: message.since ?? null, reason: message.reason ?? null });
    } else if (message.type === "token.refreshed") {
      this.#renewBefore(Date.parse(message.expires_at));
    }
    this.#options.onMessage?.(message);
  }

  #up() {
    this.#downSince = null;
    clearTimeout(this.#timers.offline);
    this.#report({ state: "live", problem: null, retryAt: null });
  }

  #down({ problem, code, retryAt }) {
    this.#downSince ??= Date.now();
    const signedOut = problem?.status === 401;
    const wait = this.#downSince + OFFLINE_AFTER_MS - Date.now();
    const offline = navigator.onLine === false || wait <= 0;
    this.#report({ state: signedOut ? "signed-out" : offline ? "offline" : "reconnecting", problem, retryAt, code });
    clearTimeout(this.#timers.offline);
    if (!signedOut && !offline) this.#timers.offline = setTimeout(() => this.#report({ state: "offline" }), wait);
  }

  #report(change) {
    const next = { ...this.status, ...change };
    if (next.state !== this.status.state) next.since = Date.now();
    this.status = next;
    this.#options.onStatus?.(next);
  }

  // Tokens: a cookie needs nothing here; with getToken the header carries the token, and a socket a one-time ticket.

  async #currentToken() {
    if (!this.#options.getToken) return null;
    if (!this.#token) await this.#renew();
    return this.#token;
  }

  async #renew() {
    if (!this.#options.getToken) return;
    try {
      this.#token = await this.#options.getToken();
    } catch (error) {
      throw new ProblemError({ status: 401, code: "no_token", title: "No token was given", detail: String(error?.message ?? error) });
    }
    this.#renewBefore(expiryMs(this.#token));
  }

  #renewBefore(atMs) {
    clearTimeout(this.#timers.renew);
    const leftMs = atMs - this.now();
    if (!this.#options.getToken || !(leftMs > 0)) return;
    // A short-lived token is renewed at four fifths of its life; setTimeout cannot wait longer than 2^31 ms.
    const wait = Math.min(Math.max(leftMs - RENEW_BEFORE_MS, leftMs * 0.8, 1_000), 2 ** 31 - 1);
    this.#timers.renew = setTimeout(() => this.#refresh(), wait);
  }

  async #refresh() {
    try {
      await this.#renew();
    } catch {
      return; // The socket is closed with 4401 when the token runs out, and asks again then.
    }
    this.#main.send({ type: "refresh", token: this.#token });
    this.#notifications?.send({ type: "refresh", token: this.#token });
  }

  async #socketAddress(path) {
    return (await this.#address(path)).replace(/^http/, "ws");
  }

  /** The address of a path that is opened without a header of ours: with a ticket, where there is no cookie. */
  async #address(path) {
    const address = new URL(path, this.#base);
    if (this.#options.getToken) {
      const headers = { "Content-Type": "application/json" };
      const { ticket } = await this.#json("/tickets/", { method: "POST", headers, body: JSON.stringify({ path: address.pathname }) });
      address.searchParams.set("ticket", ticket);
    }
    return address.href;
  }

  async #json(path, init) {
    return (await this.#fetch(path, init)).json();
  }

  /** One request; an answer that is no success is thrown as ProblemError, and so is no answer. */
  async #fetch(path, init = {}) {
    const token = await this.#currentToken();
    const headers = { Accept: "application/json", ...init.headers };
    if (token) headers.Authorization = `Bearer ${token}`;
    const options = { cache: "no-store", credentials: token ? "omit" : "include", signal: AbortSignal.timeout(15_000), ...init, headers };
    let response;
    try {
      response = await fetch(new URL(API + path, this.#base), options);
    } catch (error) {
      throw new ProblemError({ detail: error.name === "TimeoutError" ? "The server did not answer in time." : "" });
    }
    if (!response.ok) throw await ProblemError.from(response);
    return response;
  }
}

/** The address with a slash at its end, so that what is below it is resolved against the whole of it. */
function folder(address) {
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  return address;
}

function split(version) {
  const at = version.lastIndexOf("-");
  return [version.slice(0, at), Number(version.slice(at + 1))];
}

/** When a JWT runs out, in milliseconds; NaN when it does not say. The token is read here, never judged. */
function expiryMs(token) {
  try {
    const claims = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(claims)).exp * 1000;
  } catch {
    return Number.NaN;
  }
}
