/** The little Markdown that descriptions use: paragraphs, `code` and [links](/to/here). */
import { h } from "../static/dom.js";

const MARKS = /`([^`]+)`|\[([^\]]+)\]\((\/[^)\s]*)\)/g;

/** Paragraphs of a description. */
export function prose(text) {
  return (text ?? "").split(/\n\s*\n/).filter(Boolean).map((paragraph) => h("p", {}, inline(paragraph)));
}

/** One line of it. */
export function inline(text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(MARKS)) {
    parts.push(text.slice(end, found.index));
    parts.push(found[1] ? h("code", {}, found[1]) : h("a", { href: found[3] }, found[2]));
    end = found.index + found[0].length;
  }
  return [...parts, text.slice(end)];
}
