/** Vue 3: a composable that shares one connection for each viewer, with others and with the elements. */
import { computed, onMounted, onScopeDispose, shallowRef } from "vue";
import { follow, NOTHING } from "./follow.js";

/** A ref of all that is known: snapshot, overview, alerts, status, client. */
export function useDashboard(source) {
  const known = shallowRef(NOTHING);
  let stop = () => {};
  onMounted(() => {
    stop = follow(source, ["overview", "alerts"], (now) => (known.value = now));
  });
  onScopeDispose(() => stop());
  return known;
}

/** A ref of one metric of what `useDashboard` gave; null until it is there, and where it is not shown. */
export function metricOf(known, name) {
  return computed(() => known.value.snapshot?.metrics?.find((metric) => metric.name === name) ?? null);
}
