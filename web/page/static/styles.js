/** Every style sheet of the page, for shadow roots: tokens and ground rules first. */
import tokens from "./tokens.css.js";
import base from "./base.css.js";
import alerts from "./alerts.css.js";
import cash from "./cash.css.js";
import chart from "./chart.css.js";
import debts from "./debts.css.js";
import frame from "./frame.css.js";
import health from "./health.css.js";
import metrics from "./metrics.css.js";
import moves from "./moves.css.js";
import page from "./page.css.js";
import panel from "./panel.css.js";
import period from "./period.css.js";
import ranks from "./ranks.css.js";
import receipt from "./receipt.css.js";

export const styles = [tokens, base, alerts, cash, chart, debts, frame, health, metrics, moves, page, panel, period, ranks, receipt];
