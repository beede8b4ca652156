import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { Client, Metric, StoredAlert } from "./dist/client.js";
import type { DaybookAttributes, DaybookElement } from "./elements.js";
import type { Dashboard, Source } from "./types.js";

export type { Dashboard, Source };
/** All that is known: snapshot, overview, alerts, status, client. */
export function useDashboard(source: Source): Dashboard;
/** One metric of the snapshot by its name; null until it is there, and where it is not shown. */
export function useMetric(name: string, source: Source): Metric | null;
/** The stored alerts, null until they are there, and what one does with them. */
export function useAlerts(source: Source): {
  alerts: StoredAlert[] | null;
  acknowledge(id: string): ReturnType<Client["acknowledge"]> | undefined;
  snooze(id: string, time: Parameters<Client["snooze"]>[1]): ReturnType<Client["snooze"]> | undefined;
};

type Props<Own = {}> = DetailedHTMLProps<HTMLAttributes<DaybookElement>, DaybookElement> & DaybookAttributes & Own;

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "daybook-dashboard": Props<{ view?: string }>;
      "daybook-metric": Props<{ name: string; documents?: boolean }>;
      "daybook-alerts": Props;
      "daybook-receipt": Props<{ number?: string; period?: string; from?: string; to?: string }>;
    }
  }
}
