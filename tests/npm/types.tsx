import "daybook/elements";
import { connect, type Snapshot } from "daybook/client";
import { useAlerts, useDashboard, useMetric } from "daybook/react";
import { metricOf, useDashboard as useVueDashboard } from "daybook/vue";

const source = { baseUrl: "/", getToken: () => "token" };
const element = document.createElement("daybook-metric");
element.getToken = source.getToken;
element.addEventListener("daybook-update", ({ detail }) => detail.version.length);
connect({ ...source, onSnapshot: (snapshot: Snapshot) => snapshot.metrics[0]?.value?.toFixed() });
const change: number | null | undefined = useMetric("Daily Revenue", source)?.change;
const score: number | null | undefined = useDashboard(source).snapshot?.performance_score;
const value: number | null | undefined = metricOf(useVueDashboard(source), "Cash Flow").value?.value;
useAlerts(source).acknowledge("id");
// @ts-expect-error A dashboard is somewhere.
useDashboard({});
export const shown = <daybook-metric base-url="/" name="Daily Revenue" getToken={source.getToken} title={`${change} ${score} ${value}`} />;
