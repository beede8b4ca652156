import type { Ref } from "vue";
import type { Metric } from "./dist/client.js";
import type { Dashboard, Source } from "./types.js";

export type { Dashboard, Source };
/** All that is known: snapshot, overview, alerts, status, client. For `setup`. */
export function useDashboard(source: Source): Readonly<Ref<Dashboard>>;
/** One metric of what `useDashboard` gave; null until it is there, and where it is not shown. */
export function metricOf(known: Readonly<Ref<Dashboard>>, name: string): Readonly<Ref<Metric | null>>;
