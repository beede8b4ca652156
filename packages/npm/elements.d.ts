/** Importing this defines the elements. Attributes, events, parts and properties: docs/elements.md of Daybook. */
import type { AlertMessage, ProblemError, Receipt, Snapshot, Status } from "./dist/client.js";

export interface DaybookElement extends HTMLElement {
  /** Gives a token; asked again before it runs out and when it is refused. Without it the cookie is the credential. */
  getToken?: () => string | Promise<string>;
  /** Where the host shows a document of a receipt; null where it does not. */
  documentHref: (item: Receipt["items"][number]) => string | null;
}

/** Attributes, for JSX and templates; `getToken` is a property, which React 19 and Vue 3 set by the same name. */
export interface DaybookAttributes {
  "base-url"?: string;
  locale?: string;
  theme?: "light" | "dark";
  getToken?: () => string | Promise<string>;
  documentHref?: DaybookElement["documentHref"];
}

declare global {
  interface HTMLElementTagNameMap {
    "daybook-dashboard": DaybookElement;
    "daybook-metric": DaybookElement;
    "daybook-alerts": DaybookElement;
    "daybook-receipt": DaybookElement;
  }
  interface HTMLElementEventMap {
    "daybook-state": CustomEvent<Status>;
    "daybook-update": CustomEvent<Snapshot>;
    "daybook-alert": CustomEvent<AlertMessage>;
    "daybook-documents": CustomEvent<{ number: string; narrowed: Record<string, string> }>;
    "daybook-problem": CustomEvent<ProblemError>;
  }
}
