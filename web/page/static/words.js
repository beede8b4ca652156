/**
 * Texts are data: one catalogue a language, `messages-LANGUAGE.json`; what one lacks is taken from the English one.
 * A message is a text with {parameters}, or one text for each plural form of its parameter `count`.
 */
const FALLBACK = "en";
const STEPS = [
  ["second", 1_000, 90],
  ["minute", 60_000, 90],
  ["hour", 3_600_000, 36],
  ["day", 86_400_000, Infinity],
];

/** The catalogue of the first of the viewer's languages that has one. `available`: languages, as in the names of the files. */
export async function loadWords(languages, available, address) {
  const language = languages.flatMap((tag) => [tag, tag.split("-")[0]]).find((tag) => available.includes(tag)) ?? FALLBACK;
  const load = async (name) => (await fetch(address(name))).json();
  const [fallback, chosen] = await Promise.all([load(FALLBACK), language === FALLBACK ? {} : load(language).catch(() => ({}))]);
  return makeWords(language, { ...fallback, ...chosen }, languages);
}

/** `t(key, parameters)`: the text. Numbers among the parameters are written as the viewer writes them. */
export function makeWords(language, catalogue, languages) {
  const plurals = new Intl.PluralRules(language);
  const numbers = new Intl.NumberFormat(languages);
  const relative = new Intl.RelativeTimeFormat(language, { style: "short" });
  const lists = new Intl.ListFormat(language);
  const shown = (value) => (typeof value === "number" ? numbers.format(value) : (value ?? ""));
  const t = (key, parameters = {}) => {
    const message = catalogue[key] ?? key;
    const text = typeof message === "string" ? message : (message[plurals.select(parameters.count)] ?? message.other);
    return text.replace(/\{(\w+)\}/g, (_, name) => shown(parameters[name]));
  };
  return Object.assign(t, {
    language,
    has: (key) => key in catalogue,
    /** "4 min. ago" */
    ago(ms) {
      const [unit, size] = /** @type {[Intl.RelativeTimeFormatUnit, number, number]} */ (STEPS.find(([, size, most]) => ms / Number(size) < Number(most)));
      return relative.format(-Math.max(0, Math.round(ms / size)), unit);
    },
    list: (texts) => lists.format(texts),
  });
}
