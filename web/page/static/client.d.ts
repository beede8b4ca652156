/**
 * Daybook's browser client.
 *
 *     import { connect } from "/static/client.js";
 *     const live = connect({ onSnapshot: (snapshot) => render(snapshot) });
 *
 * In a page of Daybook's own origin the cookie is the credential and nothing else is needed. Elsewhere pass `baseUrl` and
 * `getToken`: the token then travels in the Authorization header, and a socket is opened with a one-time ticket.
 */

export interface Options {
  /** Where Daybook is, with its base path if it has one (such as /dash/); default: the page's own origin. */
  baseUrl?: string;
  /** The tenant; default: the one that the credential stands for. */
  userId?: string;
  /** Gives a fresh JWT: at the start, before the current one runs out, and when the server refuses it. */
  getToken?: () => string | Promise<string>;
  /** Every snapshot with a new version, in order; never twice the same, never an older one of the same epoch. */
  onSnapshot?: (snapshot: Snapshot) => void;
  /** The same version computed again: timestamps, confidences and `stale` may have moved. */
  onRefresh?: (snapshot: Snapshot) => void;
  onStatus?: (status: Status) => void;
  /** Messages of the notifications socket, after `listenForAlerts()`. */
  onAlert?: (message: AlertMessage) => void;
  /** Every message of the dashboard socket, as it came. */
  onMessage?: (message: { type: string; [field: string]: unknown }) => void;
}

export interface Client {
  /** The newest snapshot, null before the first. */
  readonly snapshot: Snapshot | null;
  readonly status: Status;
  /** Milliseconds since 1970 on the server's clock. */
  now(): number;
  /** Tries at once instead of at the next planned attempt. */
  retry(): void;
  close(): void;
  /** Asks for the snapshot now; false when the socket is not open. */
  requestUpdate(): boolean;
  /** Seconds between two updates when nothing changes (10–300); false when the socket is not open. */
  configure(config: { updateInterval: number }): boolean;
  /** Opens the notifications socket too. */
  listenForAlerts(): void;
  overview(): Promise<Overview>;
  /** One page of the documents behind a number. `query`: period or from and to; bucket, client_id, category, currency, page, changes. */
  receipt(number: string, query?: Record<string, string>): Promise<Receipt>;
  /** The address of all documents of a number as CSV: for a link, where the cookie is the credential. */
  receiptAddress(number: string, query?: Record<string, string>): string;
  /** All documents of a number as CSV, fetched with the token. */
  receiptCsv(number: string, query?: Record<string, string>): Promise<Blob>;
  /** Whether a token is the credential, rather than the cookie. */
  readonly usesToken: boolean;
  recalculate(options?: { wait?: boolean; idempotencyKey?: string }): Promise<Recalculation>;
  alerts(): Promise<{ alerts: StoredAlert[]; next: string | null }>;
  acknowledge(alertId: string): Promise<{ success: boolean; alert_id: string }>;
  snooze(alertId: string, time: { minutes: number } | { until: string }): Promise<{ success: boolean; alert_id: string }>;
}

export function connect(options?: Options): Client;

/** Whether version `next` may follow `held`. */
export function isNewer(next: string, held: string | null | undefined): boolean;

/** An answer that is no success (`status` ≥ 400), or none at all (`status` 0). Every promise above may reject with it. */
export class ProblemError extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;
  readonly requestId: string | null;
  readonly retryAfterS: number | null;
}

export interface Status {
  /**
   * live: the socket is open. reconnecting: lost a moment ago. offline: out of reach, `retryAt` is the next attempt.
   * signed-out: the credential is missing or has run out. denied: it is for something else; nothing more is tried.
   */
  state: "connecting" | "live" | "reconnecting" | "offline" | "signed-out" | "denied" | "closed";
  /** Milliseconds since 1970 when `state` began. */
  since: number;
  /** Whether the server says that its numbers are not fresh, since when and why. */
  stale: boolean;
  staleSince: string | null;
  reason: string | null;
  retryAt: number | null;
  problem: ProblemError | null;
}

export type Trend = "up" | "down" | "stable";
export type Level = "critical" | "warning" | "success" | "info";

export interface Unconverted {
  currency: string;
  amount: number;
  documents: number;
}

export interface Metric {
  name: string;
  value: number | null;
  previous: number | null;
  rebuilt?: boolean;
  change: number | null;
  change_percent: number | null;
  trend: Trend;
  /** Whether the direction is good news; null when it is neither. */
  good: boolean | null;
  /** `partial_day`, `allocations_unknown`. */
  reason?: string;
  unit: "money" | "count" | "ratio";
  amount?: number | null;
  unconverted: Unconverted[];
  /** 0..1, the product of `confidence_factors`. */
  confidence: number;
  confidence_factors: { sample: number; day: number; fx: number; quality: number };
  timestamp: string;
}

export interface Alert {
  id: string;
  level: Level;
  message: string;
  metric: string;
  action_required: boolean;
  timestamp: string;
  provisional?: boolean;
  /** By which rule it was raised and with which values, for a text in another language than that of `message`. */
  rule?: string;
  params?: Record<string, unknown>;
}

export interface StoredAlert extends Alert {
  state: "open" | "acknowledged" | "snoozed" | "cleared";
  raised_at: string;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  snoozed_until: string | null;
  cleared_at: string | null;
}

export type AlertMessage =
  | { type: `alert.${"new" | "updated" | "cleared" | "acknowledged" | "snoozed"}`; alert: StoredAlert; timestamp: string; replay?: boolean }
  | { type: "notification.new"; id: string; level: Level; message: string; timestamp: string };

export interface ScoreComponent {
  name: "profitability" | "growth" | "cash" | "collections" | "pipeline" | "clients";
  weight: number;
  value: number | { overdue_share: number | null; days_over_terms: number | null } | null;
  points: number | null;
  reason: string;
}

interface Envelope {
  /** `epoch-revision`. */
  version: string;
  stale: boolean;
  user_id: string;
  as_of: string;
  computed_at: string;
  currency: string;
  timezone: string;
  basis: "accrual" | "cash";
}

export interface Snapshot extends Envelope {
  timestamp: string;
  name: string | null;
  /** The tenant's date when it was computed. */
  local_date: string;
  state: "ok" | "no_data";
  /** currency, since: of `missing_rate`, which one and the first day for which a rate was looked for. */
  data_issues: { code: string; detail: string; currency?: string; since?: string }[];
  performance_score: number | null;
  /** Absent where a view hides it. */
  score?: { value: number | null; coverage: number; components: ScoreComponent[] };
  metrics: Metric[];
  alerts: Alert[];
}

/** Those of metrics that a view hides are absent. */
export interface PeriodNumbers {
  from: string;
  to: string;
  revenue?: number | null;
  expenses?: number | null;
  profit?: number | null;
  money_in?: number | null;
  money_out?: number | null;
  cash_flow?: number | null;
}

export interface Period extends PeriodNumbers {
  name: string;
  unconverted: Record<string, Unconverted[]>;
  previous: PeriodNumbers;
  change_percent: Record<string, number | null>;
}

/** Some of the documents. `total`: null where there are some and none of them converts. */
export interface ReceiptPart {
  count: number;
  total: number | null;
}

export interface Receipt {
  number: string;
  version: string;
  as_of: string;
  currency: string;
  total: number | null;
  /** The count or ratio that stands beside the money, of open invoices, quote-conversion and client-activity. */
  value?: number | null;
  count: number;
  unconverted: Unconverted[];
  /** With `changes`: what made the change; then `total` and `value` are what they changed by. */
  moved?: { in: ReceiptPart; out: ReceiptPart; changed: ReceiptPart };
  /** With `changes`: the number of the time before, as the documents tell it now. */
  before?: ReceiptPart & { from: string; to: string; value?: number | null };
  items: {
    kind: string;
    id: string | null;
    reference: string | null;
    date: string | null;
    due_date: string | null;
    client: { id: string | null; name: string | null } | null;
    vendor: string | null;
    category: string | null;
    amount: number;
    currency: string;
    /** Null where no exchange rate is known: not part of `total`. */
    base_amount: number | null;
    /** With `changes`: the amounts are what the document adds to the change. */
    moved?: "in" | "out" | "changed";
    url?: string;
  }[];
  /** The address of the next page. */
  next: string | null;
}

/** A view may hide any block, and numbers of the rows of days and months: then they are absent. */
export interface Overview extends Envelope {
  periods?: Period[];
  /** As of when days that are long past are known; null: as of the answer itself. */
  periods_as_of?: string | null;
  /** This month to date and those before it. */
  months?: { month: string; revenue?: number | null; expenses?: number | null; profit?: number | null; money_in?: number | null; money_out?: number | null }[];
  receivables?: {
    outstanding: number | null;
    customer_credit: number | null;
    dso_days: number | null;
    ageing: { bucket: "current" | "1-30" | "31-60" | "61-90" | "90+"; count: number; amount: number | null }[];
    by_currency: { currency: string; amount: number }[];
    debtors: { client_id: string | null; name: string | null; outstanding: number | null; overdue: number | null; oldest_due: string | null; invoices: number }[];
    unconverted: Unconverted[];
  };
  series?: { date: string; revenue?: number | null; expenses?: number | null; cash?: number | null }[];
  history?: { date: string; pending?: number; overdue?: number; conversion?: number | null; active_clients?: number }[];
  top_clients?: { client_id: string | null; name: string | null; revenue: number | null; share: number | null; documents: number }[];
  /** What the accounts held at the end of yesterday, where the forecast starts; null when it is not known. */
  opening_balance?: number | null;
  cash_forecast?: { date: string; inflow: number | null; outflow: number | null; cumulative: number }[];
  quotes?: { open_count: number; open_amount: number | null; won?: number; lost?: number; conversion?: number | null };
  expense_categories?: { category: string | null; amount: number | null; share: number | null; documents: number }[];
  /** What each block misses for want of an exchange rate. */
  unconverted: Partial<Record<"receivables" | "customer_credit" | "series" | "top_clients" | "cash_forecast" | "quotes" | "expense_categories", Unconverted[]>>;
}

export interface Recalculation {
  success: boolean;
  /** Set when the answer did not wait for the computation. */
  status?: "queued";
  task_id?: string;
  message?: string;
  refresh_results?: { refreshed: boolean; changed: boolean; duration_seconds: number };
  performance_score?: number | null;
  timestamp: string;
}
