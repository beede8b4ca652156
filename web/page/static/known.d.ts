/** What the page knows: the parts read from it and from nothing else. */
import type { Overview, ProblemError, Receipt, Snapshot, Status, StoredAlert } from "./client.js";

/** How things are said: texts and numbers of the viewer. */
export interface See {
  t: any;
  format: any;
}

export interface Known extends See {
  snapshot: Snapshot;
  /** Null before it arrived; a block that a view hides is absent. */
  overview: any;
  /** Null where the server keeps no alerts. */
  stored: StoredAlert[] | null;
  status: Status;
  /** Names of the metrics that have just changed. */
  changed: Set<string>;
  /** Short lists of documents: undefined on their way, null where the server does not show them. */
  lists: { due: Receipt["items"] | null | undefined; incoming: Receipt["items"] | null | undefined };
  announcements: { id: string; level: string; message: string; timestamp: string }[];
  chosenPeriod: string;
  /** Names of the parts that are shown; missing: all. */
  parts?: Set<string> | null;
  /** Where one signs in; empty where nobody says. */
  signInHref: string;
  /** Where the host product shows a document; null where it does not. */
  documentHref(item: Receipt["items"][number]): string | null;
  actions: Record<string, any>;
  receipt?: { question: Question; answer: Receipt | null; items: Receipt["items"]; changes: Receipt | null; problem: ProblemError | null } | null;
}

export interface Question {
  number: string;
  narrowed: Record<string, string>;
}
