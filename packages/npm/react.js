/** React 19: hooks that share one connection for each viewer, with each other and with the elements. */
import { useEffect, useRef, useState } from "react";
import { follow, NOTHING } from "./follow.js";

const DASHBOARD = ["overview", "alerts"];
const ALERTS = ["alerts"];
const METRIC = [];

function useLive({ baseUrl, getToken }, needs) {
  const [known, setKnown] = useState(NOTHING);
  // A function written in the component is another one each time: the newest is asked, and the connection stays.
  const newest = useRef(getToken);
  useEffect(() => {
    newest.current = getToken;
  });
  const usesToken = Boolean(getToken);
  useEffect(() => {
    const stop = follow({ baseUrl, getToken: usesToken ? () => newest.current() : undefined }, needs, setKnown);
    return () => {
      stop();
      setKnown(NOTHING);
    };
  }, [baseUrl, usesToken, needs]);
  return known;
}

/** All that is known: snapshot, overview, alerts, status, client. */
export function useDashboard(source) {
  return useLive(source, DASHBOARD);
}

/** One metric of the snapshot by its name; null until it is there, and where it is not shown. */
export function useMetric(name, source) {
  return useLive(source, METRIC).snapshot?.metrics?.find((metric) => metric.name === name) ?? null;
}

/** The stored alerts, and what one does with them. */
export function useAlerts(source) {
  const { alerts, client } = useLive(source, ALERTS);
  return { alerts, acknowledge: (id) => client?.acknowledge(id), snooze: (id, time) => client?.snooze(id, time) };
}
