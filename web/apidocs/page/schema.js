/** JSON Schema as a table of fields; what a field refers to opens in place. */
import { h } from "/static/dom.js";
import { inline } from "./prose.js";

/** What `{"$ref": "#/…"}` points at in the document; anything else as it is. */
export function resolve(schema, root) {
  if (!schema?.$ref) return schema;
  return schema.$ref.slice(2).split("/").reduce((part, name) => part[name.replaceAll("~1", "/")], root);
}

/** The fields of an object's schema; nothing for anything else. */
export function fields(schema, root) {
  const whole = resolve(schema, root);
  if (!whole?.properties) return null;
  const required = new Set(whole.required ?? []);
  return h(
    "dl",
    { class: "fields" },
    Object.entries(whole.properties).map(([name, field]) =>
      h("div", { key: name }, h("dt", {}, name, required.has(name) ? null : h("i", {}, " optional")), definition(field, root)),
    ),
  );
}

/** The type of a field in a few words. */
export function typeName(schema, root) {
  const name = schema.$ref?.split("/").at(-1);
  if (name) return name;
  if (schema.anyOf ?? schema.oneOf) return (schema.anyOf ?? schema.oneOf).map((part) => typeName(part, root)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (schema.type === "array") return `${typeName(schema.items ?? {}, root)}[]`;
  return schema.format ? `${schema.type} (${schema.format})` : String(schema.type ?? "any");
}

/** Bounds and default of a parameter. */
export function limits({ minimum, maximum, default: preset, minLength, maxLength }) {
  const range = [minimum ?? minLength, maximum ?? maxLength].filter((bound) => bound !== undefined).join(" to ");
  const unit = maxLength === undefined ? "" : " characters";
  return [range && `${range}${unit}`, preset === undefined ? "" : `default ${preset}`].filter(Boolean).join(", ");
}

function definition(field, root) {
  const inner = held(field).find((part) => resolve(part, root)?.properties);
  const what = h("span", { class: "type" }, typeName(field, root));
  if (!inner) return h("dd", {}, what, field.description ? inline(` ${field.description}`) : null);
  return h(
    "dd",
    {},
    h("details", {}, h("summary", {}, what), text(resolve(inner, root)), fields(inner, root)),
  );
}

function text({ description }) {
  return description ? h("p", { class: "dim" }, inline(description)) : null;
}

/** The schemas inside of a field: its own, its items', its alternatives'. */
function held(schema) {
  return [schema, schema.items, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(Boolean).flatMap((part) =>
    part === schema ? [part] : held(part),
  );
}
