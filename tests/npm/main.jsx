import "daybook/elements";
import { useAlerts, useDashboard, useMetric } from "daybook/react";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { source } from "./source.js";
import "./vue.js";

function Revenue() {
  const revenue = useMetric("Daily Revenue", { ...source, getToken: () => source.getToken() });
  const { snapshot, status } = useDashboard(source);
  const { alerts } = useAlerts(source);
  return <p id="hooks" data-state={status?.state} data-alerts={alerts?.length}>{snapshot?.user_id} {revenue?.value ?? "…"}</p>;
}

function App() {
  return (
    <StrictMode>
      <Revenue />
      <daybook-metric base-url={source.baseUrl} name="Daily Revenue" getToken={source.getToken} locale="en" />
    </StrictMode>
  );
}

createRoot(document.getElementById("react")).render(<App />);
