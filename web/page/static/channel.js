/**
 * One WebSocket that stays open: reconnects with full jitter, notices sleep and silence, obeys the close codes (SPEC 7).
 * Where sockets do not come through, what `prepare` gives instead is a stream.
 */
import { ProblemError } from "./problem.js";
import { readStream } from "./stream.js";

const BASE_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
/** A connection that lived this long was a good one: the next failure starts counting from the beginning. */
const GOOD_AFTER_MS = 5_000;
const OPEN_WITHIN_MS = 10_000;
const WATCH_EVERY_MS = 5_000;
/** Silence after which the server is asked, and how long it may take to answer. */
const SILENCE_MS = 20_000;
const ANSWER_WITHIN_MS = 5_000;

/** So many sockets in a row that never opened, while HTTP was answered, were kept from it by something in between. */
const BLOCKED_AFTER = 2;
/** Whoever is served by a stream for so long tries a socket once more. */
const SOCKET_AGAIN_MS = 600_000;

/** What to do after a close: `floorMs` is waited in any case, `renew` asks for another token, `stop` ends it. */
const CLOSES = new Map([
  [1012, { floorMs: 250 }],
  [4401, { floorMs: 0, renew: true }],
  [4403, { stop: true }],
  [4408, { floorMs: 1_000 }],
  [4429, { floorMs: 10_000 }],
]);

/** Wait before attempt `attempt` (0, 1, …): a random share of a doubling bound, so that clients do not return at once. */
export function delayMs(attempt, floorMs = 0, random = Math.random) {
  return floorMs + random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** attempt);
}

export class Channel {
  #hooks;
  /** @type {WebSocket | null} */
  #socket = null;
  #closed = false;
  #neverOpened = 0;
  /** @type {(() => void) | null} */
  #leave = null;
  /** @type {((atOnce: boolean) => void) | null} */
  #wake = null;
  /** @type {(() => void) | null} */
  #check = null;

  /**
   * hooks.prepare({refused, renew, blocked}): resolves to the address to open; throws ProblemError when it must not be
   *   opened. refused: the last attempt never opened (a browser hides why: ask over HTTP). renew: the token has run out.
   *   blocked: sockets do not come through; an http address is read as a stream.
   * hooks.message(object), hooks.up(), hooks.down({problem, retryAt, code}), hooks.stopped(problem)
   */
  constructor(hooks) {
    this.#hooks = hooks;
  }

  /** Runs until `close()` or a refusal that no retry can mend. */
  async run() {
    const events = this.#listen();
    let attempt = 0;
    let why = { refused: true, renew: false };
    while (!this.#closed) {
      const startedAt = Date.now();
      const end = await this.#session({ ...why, blocked: this.#neverOpened >= BLOCKED_AFTER });
      if (this.#closed) break;
      if (end.stop) {
        this.#hooks.stopped(end.problem);
        break;
      }
      if (end.opened && Date.now() - startedAt > GOOD_AFTER_MS) attempt = 0;
      const wait = delayMs(attempt, end.floorMs);
      attempt += 1;
      why = { refused: !end.opened, renew: Boolean(end.renew) };
      this.#hooks.down({ problem: end.problem ?? null, code: end.code ?? null, retryAt: Date.now() + wait });
      await this.#pause(wait, end.floorMs);
    }
    events.abort();
  }

  /** Sends one message; false when the socket is not open. */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Looks now: asks an open socket whether it lives, ends a pause (a person's wish also what the server asked to wait). */
  nudge({ asked = false } = {}) {
    this.#check?.();
    this.#wake?.(asked);
  }

  close() {
    this.#closed = true;
    this.#socket?.close(1000);
    this.#leave?.();
    this.#wake?.(true);
  }

  async #session(why) {
    let address;
    try {
      address = await this.#hooks.prepare(why);
    } catch (error) {
      return afterProblem(error);
    }
    if (this.#closed) return { stop: true };
    return address.startsWith("http") ? this.#read(address) : this.#try(address);
  }

  /** A socket; HTTP has just been answered, so that one which never opens was kept from it. */
  async #try(address) {
    const end = await this.#converse(address);
    this.#neverOpened = end.opened ? 0 : this.#neverOpened + 1;
    return end;
  }

  async #read(address) {
    const startedAt = Date.now();
    const end = await readStream(address, this.#hooks, (leave) => (this.#leave = leave));
    this.#leave = null;
    if (!end.opened) this.#neverOpened = 0;
    else if (Date.now() - startedAt > SOCKET_AGAIN_MS) this.#neverOpened = BLOCKED_AFTER - 1;
    return end;
  }

  #converse(address) {
    return new Promise((resolve) => {
      const socket = new WebSocket(address);
      this.#socket = socket;
      let opened = false;
      let heardAt = Date.now();
      const giveUp = () => {
        // A half-open connection may take minutes to report its own end.
        socket.close();
        end({ code: 1006 });
      };
      let deadline = /** @type {number | undefined} */ (setTimeout(giveUp, OPEN_WITHIN_MS));
      const end = (result) => {
        clearInterval(watch);
        clearTimeout(deadline);
        this.#check = null;
        socket.onmessage = socket.onclose = null;
        resolve({ opened, floorMs: 0, ...result });
      };
      const check = () => {
        if (deadline !== undefined || !this.send({ type: "ping" })) return;
        const askedAt = Date.now();
        deadline = setTimeout(() => {
          deadline = undefined;
          if (heardAt < askedAt) giveUp();
        }, ANSWER_WITHIN_MS);
      };
      let tickedAt = Date.now();
      const watch = setInterval(() => {
        const slept = Date.now() - tickedAt > 3 * WATCH_EVERY_MS;
        tickedAt = Date.now();
        if (slept || Date.now() - heardAt > SILENCE_MS) check();
      }, WATCH_EVERY_MS);
      this.#check = check;
      socket.onmessage = (event) => {
        heardAt = Date.now();
        const message = parse(event.data);
        if (!message) return;
        if (!opened) {
          opened = true;
          clearTimeout(deadline);
          deadline = undefined;
          this.#hooks.up();
        }
        this.#hooks.message(message);
      };
      socket.onclose = (event) => end({ code: event.code, ...CLOSES.get(event.code) });
    });
  }

  #pause(ms, floorMs) {
    const earliest = Date.now() + floorMs;
    return new Promise((resolve) => {
      let timer = setTimeout(resolve, ms);
      this.#wake = (atOnce) => {
        clearTimeout(timer);
        timer = setTimeout(resolve, atOnce ? 0 : Math.max(0, earliest - Date.now()));
      };
    }).finally(() => {
      this.#wake = null;
    });
  }

  /** A laptop that wakes, a tab that is shown again, a network that is back: look at once instead of at the next timer. */
  #listen() {
    const events = new AbortController();
    const { signal } = events;
    addEventListener("online", () => this.nudge(), { signal });
    addEventListener("offline", () => this.#check?.(), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.nudge(), { signal });
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.nudge(), { signal });
    return events;
  }
}

function afterProblem(error) {
  const problem = error instanceof ProblemError ? error : new ProblemError({ detail: String(error?.message ?? error) });
  const end = { opened: false, problem, floorMs: (problem.retryAfterS ?? 0) * 1000 };
  if (problem.status === 401) return { ...end, renew: true, floorMs: Math.max(end.floorMs, 1_000) };
  if (problem.status === 403) return { ...end, stop: true };
  if (problem.status === 404) return { ...end, floorMs: Math.max(end.floorMs, 15_000) };
  return end;
}

function parse(data) {
  try {
    const message = JSON.parse(data);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}
