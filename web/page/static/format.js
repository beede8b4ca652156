/** Numbers, days and times as the viewer reads them: the viewer's locale, the tenant's currency and time zone. */

/** Decimals of the minor unit where they are not two (ISO 4217). Browsers follow shops instead and would round an IQD. */
const DECIMALS = new Map([
  ...fill(0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
  ...fill(3, "BHD IQD JOD KWD LYD OMR TND"),
  ...fill(4, "CLF UYW"),
]);
const MINUS = "−";

export function decimals(currency) {
  return DECIMALS.get(currency) ?? 2;
}

/** Formatters for one tenant; `languages` as in navigator.languages. */
export function makeFormat({ currency, timezone }, languages) {
  const zone = knownZone(timezone);
  const number = (options) => new Intl.NumberFormat(languages, options);
  const date = (options, timeZone) => new Intl.DateTimeFormat(languages, { ...options, timeZone });
  const moneyFormats = new Map();
  const moneyFormat = (code, options) => {
    const key = code + JSON.stringify(options);
    if (!moneyFormats.has(key)) moneyFormats.set(key, number({ ...currencyStyle(code), ...options }));
    return moneyFormats.get(key);
  };
  const short = number({ ...currencyStyle(currency), notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 });
  const count = number({ maximumFractionDigits: 0 });
  const signedCount = number({ maximumFractionDigits: 0, signDisplay: "exceptZero" });
  const decimal = number({ maximumFractionDigits: 2 });
  const percent = number({ style: "percent", maximumFractionDigits: 1 });
  const signedPercent = number({ style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" });
  const points = number({ minimumFractionDigits: 1, maximumFractionDigits: 1, signDisplay: "exceptZero" });
  // A calendar day has no zone of its own; read in UTC it stays the day it is.
  const day = date({ weekday: "short", day: "numeric", month: "short" }, "UTC");
  const dayShort = date({ day: "numeric", month: "short" }, "UTC");
  const dayLong = date({ weekday: "long", day: "numeric", month: "long", year: "numeric" }, "UTC");
  const month = date({ month: "long", year: "numeric" }, "UTC");
  const monthShort = date({ month: "short" }, "UTC");
  const dayYear = date({ day: "numeric", month: "short", year: "numeric" }, "UTC");
  const time = date({ hour: "numeric", minute: "2-digit" }, zone);
  const timeExact = date({ dateStyle: "medium", timeStyle: "medium" }, zone);
  const proper = (text) => text.replace("-", MINUS);
  return {
    currency,
    money: (value, code = currency) => proper(moneyFormat(code, {}).format(value)),
    moneyParts: (value) => moneyFormat(currency, {}).formatToParts(value).map((part) => ({ ...part, value: proper(part.value) })),
    signedMoney: (value) => proper(moneyFormat(currency, { signDisplay: "exceptZero" }).format(value)),
    shortMoney: (value) => proper(short.format(value)),
    count: (value) => proper(count.format(value)),
    signedCount: (value) => proper(signedCount.format(value)),
    decimal: (value) => proper(decimal.format(value)),
    percent: (ratio) => proper(percent.format(ratio)),
    signedPercent: (ratio) => proper(signedPercent.format(ratio)),
    signedPoints: (ratio) => proper(points.format(ratio * 100)),
    day: (text) => day.format(new Date(text)),
    dayShort: (text) => dayShort.format(new Date(text)),
    dayYear: (text) => dayYear.format(new Date(text)),
    /** "Nov 1 – 25", with the year where `years` says so. */
    range: (from, to, years = false) => (years ? dayYear : dayShort).formatRange(new Date(from), new Date(to)),
    month: (text) => month.format(new Date(text)),
    monthShort: (text) => monthShort.format(new Date(text)),
    dayLong: (text) => dayLong.format(new Date(text)),
    time: (instant) => time.format(new Date(instant)),
    timeExact: (instant) => timeExact.format(new Date(instant)),
    place: /** @type {string} */ (zone.split("/").at(-1)).replaceAll("_", " "),
  };
}

/** The sum of amounts of one currency, exact: counted in minor units. Null amounts are left out. */
export function sum(amounts, currency) {
  const unit = 10 ** decimals(currency);
  return amounts.reduce((total, amount) => total + (amount === null ? 0 : Math.round(amount * unit)), 0) / unit;
}

/** Whole days from one date to another, both as on the wire. */
export function daysBetween(from, to) {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);
}

/** The date so many days later. */
export function plusDays(day, count) {
  return new Date(Date.parse(day) + count * 86_400_000).toISOString().slice(0, 10);
}

function currencyStyle(code) {
  const digits = { minimumFractionDigits: decimals(code), maximumFractionDigits: decimals(code) };
  // The contract flags an unknown code, Intl refuses a malformed one: the number is shown all the same.
  return /^[A-Za-z]{3}$/.test(code) ? { style: "currency", currency: code, ...digits } : digits;
}

function knownZone(timezone) {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: timezone }).resolvedOptions().timeZone;
  } catch {
    return "UTC";
  }
}

function fill(digits, codes) {
  return codes.split(" ").map((code) => [code, digits]);
}
