/** What stands around the numbers: the buttons of the bar and the help, in the viewer's language. */
import { h } from "./dom.js";
import { icon } from "./marks.js";

/** @type {[string[], string][]} */
const KEYS = [
  [["R"], "recalculate"],
  [["T"], "tables"],
  [["A"], "attention"],
  [["D"], "theme"],
  [["←", "→"], "chart"],
  [["?"], "help"],
];

/** `theme`: system, light or dark. `busy`: a recalculation is on its way. */
export function buttons({ theme, busy, t, actions }) {
  const names = t(`theme.${theme}`);
  return [
    h("button", { type: "button", key: "theme", class: "round theme", title: names, onclick: actions.switchTheme }, icon("theme"), h("span", { class: "hidden" }, names)),
    h("button", { type: "button", key: "help", class: "round", title: t("help.open"), onclick: actions.showHelp }, icon("help"), h("span", { class: "hidden" }, t("help.open"))),
    h("button", { type: "button", key: "recalculate", class: "primary recalculate", title: t("recalculate.title"), "aria-disabled": busy ? "true" : null, onclick: actions.recalculate }, icon("recalculate"), h("span", {}, t("recalculate"))),
  ];
}

export function help({ t, actions, keysOn }) {
  return [
    h("h2", { id: "help-title" }, t("help")),
    h("h3", {}, t("help.keyboard")),
    h("dl", {}, KEYS.map(([letters, name]) => h("div", { key: name }, h("dt", {}, letters.map((letter) => h("kbd", { key: letter }, letter))), h("dd", {}, t(`key.${name}`))))),
    h("label", {}, h("input", { type: "checkbox", ".checked": keysOn, onchange: (event) => actions.enableKeys(event.target.checked) }), t("help.letters")),
    h("h3", {}, t("help.numbers")),
    h("ul", {}, ["documents", "arrow", "rate"].map((name) => h("li", { key: name }, t(`help.${name}`)))),
    h("button", { type: "button", class: "primary", onclick: actions.hideHelp }, t("close")),
  ];
}
