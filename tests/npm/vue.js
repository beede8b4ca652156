import { metricOf, useDashboard } from "daybook/vue";
import { createApp, h } from "vue";
import { source } from "./source.js";

createApp({
  setup() {
    const revenue = metricOf(useDashboard(source), "Daily Revenue");
    return () => [
      h("p", { id: "composable" }, revenue.value?.value ?? "…"),
      h("daybook-alerts", { "base-url": source.baseUrl, getToken: source.getToken, locale: "en" }),
    ];
  },
}).mount("#vue");
