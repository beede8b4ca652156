import type { Client, Overview, Snapshot, Status, StoredAlert } from "./dist/client.js";

export interface Source {
  /** Where Daybook is, with its base path if it has one. */
  baseUrl: string;
  /** Gives a token; asked again before it runs out and when it is refused. Without it the cookie is the credential. */
  getToken?: () => string | Promise<string>;
}

/** Everything is null until it is there. */
export interface Dashboard {
  snapshot: Snapshot | null;
  overview: Overview | null;
  alerts: StoredAlert[] | null;
  status: Status | null;
  client: Client | null;
}
