/** JSON Schema as a table of fields; what a field refers to opens in place. */
import { h } from "../static/dom.js";
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
  if (schema.contentSchema) return typeName(schema.contentSchema, root);
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
  const objects = held(field).filter((part) => resolve(part, root)?.properties);
  const what = h("span", { class: "type" }, typeName(field, root));
  if (!objects.length) return h("dd", {}, what, field.description ? inline(` ${field.description}`) : null);
  return h("dd", {}, objects.map((part) => {
    const summary = objects.length > 1 ? h("span", { class: "type" }, typeName(part, root)) : what;
    return h("details", { key: typeName(part, root) }, h("summary", {}, summary), text(resolve(part, root)), fields(part, root));
  }));
}

function text({ description }) {
  return description ? h("p", { class: "dim" }, inline(description)) : null;
}

/** The schemas inside of a field: its own, its items', its alternatives', that of the JSON in its text. */
function held(schema) {
  const inside = [schema.items, schema.contentSchema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].filter(Boolean);
  return [schema, ...inside.flatMap(held)];
}
