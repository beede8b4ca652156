/** `<daybook-metric name="Daily Revenue">`: one number, live. `documents`: the number is a link that tells `daybook-documents`. */
import base from "./base.css.js";
import { DaybookElement, define } from "./element.js";
import { h } from "./dom.js";
import { card } from "./metrics.js";
import styles from "./metrics.css.js";
import panel from "./panel.css.js";
import tokens from "./tokens.css.js";

const OWN = `
.card { border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow); min-height: 100%; box-sizing: border-box; }
`;

class Metric extends DaybookElement {
  static styles = [tokens, base, panel, styles, OWN];
  static needs = ["overview"];

  describe(known) {
    const name = this.getAttribute("name");
    const metric = known.snapshot.metrics?.find((metric) => metric.name === name);
    if (!metric) return h("p", { class: "empty", key: "none" }, known.t("not-known"));
    return card(metric, { ...known, plain: !this.hasAttribute("documents") });
  }
}

define("daybook-metric", Metric);
