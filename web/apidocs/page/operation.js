/** One operation of the OpenAPI document: what it takes, what it answers, and a form that sends it. */
import { h, patch } from "../static/dom.js";
import { BASE } from "./base.js";
import { inline, prose } from "./prose.js";
import { fields, limits, resolve } from "./schema.js";

const MAX_SHOWN = 200_000;

/** Fills `section` with the operation and keeps it up to date. */
export function operationSection(section, operation, openapi, credential) {
  const state = { values: {}, body: exampleBody(operation, openapi), answer: null, abort: null };
  const render = () => patch(section, view(operation, openapi, state, act));
  const act = {
    set: (name) => ({ target }) => {
      state.values[name] = target.value;
      render();
    },
    setBody: ({ target }) => {
      state.body = target.value;
    },
    send: async (event) => {
      event.preventDefault();
      await send(operation, state, credential, render);
    },
    stop: () => state.abort?.abort(),
  };
  section.id = operation.operationId;
  render();
}

function view(operation, openapi, state, act) {
  const { method, path, summary, description, parameters = [], requestBody, responses, security } = operation;
  return [
    h("h3", {}, h("span", { class: `method ${method.toLowerCase()}` }, method), h("code", {}, path)),
    h("p", { class: "summary", key: "summary" }, summary, security.length ? null : h("span", { class: "open" }, "no token")),
    h("div", { key: "text" }, prose(description)),
    h(
      "form",
      { onsubmit: act.send, "aria-label": `Try ${method} ${path}` },
      parameters.map((parameter) => input(parameter, operation, state, act)),
      requestBody && body(operation, state, act),
      h(
        "div",
        { class: "row" },
        h("button", { class: "primary", type: "submit", disabled: state.abort !== null }, "Send"),
        state.abort && h("button", { type: "button", key: "stop", onclick: act.stop }, "Stop"),
        h("code", { class: "curl" }, curl(operation, state)),
      ),
    ),
    state.answer && answer(state.answer),
    h("h4", { key: "answers" }, "Answers"),
    answers(Object.entries(responses), openapi),
  ];
}

/** What is hoped for one by one; refusals, which are nearly the same everywhere, folded into one line. */
function answers(responses, openapi) {
  const isRefusal = ([, response]) => response.$ref !== undefined;
  const lines = (some) => some.map(([status, response]) => possible(status, resolve(response, openapi), openapi));
  const refusals = responses.filter(isRefusal);
  return [
    lines(responses.filter((answer) => !isRefusal(answer))),
    h(
      "details",
      { class: "possible refusals", key: "refusals" },
      h("summary", {}, "Refusals ", refusals.map(([status]) => h("b", { key: status, class: `status s${status[0]}` }, `${status} `))),
      lines(refusals),
    ),
  ];
}

function input({ name, in: where, description, schema, required }, { operationId }, state, act) {
  const id = `${operationId}-${name}`;
  const attrs = { id, name, required, value: state.values[name] ?? "", oninput: act.set(name), spellcheck: "false" };
  const field = schema.enum
    ? h("select", attrs, h("option", { value: "" }, ""), schema.enum.map((value) => h("option", { value }, value)))
    : h("input", { ...attrs, inputmode: schema.type === "integer" ? "numeric" : null, placeholder: schema.default ?? null });
  const about = [description, limits(schema)].filter(Boolean).join(" ");
  return h(
    "div",
    { class: "parameter", key: name },
    h("label", { for: id }, h("code", {}, name), h("i", {}, ` ${where}`)),
    field,
    h("p", { class: "dim" }, inline(about)),
  );
}

function body({ operationId }, state, act) {
  const id = `${operationId}-body`;
  return h(
    "div",
    { class: "parameter", key: "the body" },
    h("label", { for: id }, h("code", {}, "body"), h("i", {}, " JSON")),
    h("textarea", { id, rows: "3", oninput: act.setBody, spellcheck: "false", ".defaultValue": state.body }),
  );
}

function possible(status, { description, content = {} }, openapi) {
  const [mediaType, media] = Object.entries(content)[0] ?? [];
  const table = media && fields(media.schema, openapi);
  const line = [h("b", { class: `status s${status[0]}` }, status), " ", inline(description), mediaType && h("i", {}, ` ${mediaType}`)];
  const example = media?.example && h("pre", {}, media.example);
  if (!table && !example) return h("p", { class: "possible", key: status }, line);
  return h("details", { class: "possible", key: status }, h("summary", {}, line), example, table);
}

function answer({ status, text, headers, ms }) {
  const good = status >= 200 && status < 400;
  return h(
    "div",
    { class: "answer", key: "answer", role: "status" },
    h("p", {}, h("b", { class: `status s${String(status)[0]}` }, status || (good ? "" : "No answer")), ` ${ms} ms`),
    headers.length ? h("details", {}, h("summary", {}, "Headers"), h("pre", {}, headers.join("\n"))) : null,
    text ? h("pre", { tabindex: "0" }, text) : null,
  );
}

async function send(operation, state, credential, render) {
  const began = performance.now();
  const abort = (state.abort = new AbortController());
  const shown = (state.answer = { status: 0, text: "", headers: [], ms: 0 });
  const tell = (change) => {
    Object.assign(shown, change, { ms: Math.round(performance.now() - began) });
    render();
  };
  render();
  try {
    const response = await fetch(BASE + address(operation, state.values), options(operation, state, credential, abort.signal));
    tell({ status: response.status, headers: [...response.headers].map(([name, value]) => `${name}: ${value}`) });
    await read(response, tell);
  } catch (error) {
    if (error.name !== "AbortError") tell({ text: String(error.message) });
  } finally {
    state.abort = null;
    render();
  }
}

/** The body, as far as it has come: a stream never ends by itself. */
async function read(response, tell) {
  if (!response.body) return;
  const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
  let text = "";
  for await (const piece of pieces(response.body)) {
    text = (text + piece).slice(-MAX_SHOWN);
    if (!isJson) tell({ text });
  }
  tell({ text: isJson ? pretty(text) : text });
}

async function* pieces(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function address({ path, parameters = [] }, values) {
  const given = (where) => parameters.filter(({ name, in: place }) => place === where && values[name]);
  const filled = given("path").reduce((text, { name }) => text.replace(`{${name}}`, encodeURIComponent(values[name])), path);
  const search = new URLSearchParams(given("query").map(({ name }) => [name, values[name]])).toString();
  return search ? `${filled}?${search}` : filled;
}

function headersOf({ parameters = [], requestBody, security }, values, token) {
  const headers = parameters.filter(({ name, in: place }) => place === "header" && values[name]).map(({ name }) => [name, values[name]]);
  if (requestBody) headers.push(["Content-Type", "application/json"]);
  if (token && security.length) headers.push(["Authorization", `Bearer ${token}`]);
  return headers;
}

function options(operation, state, credential, signal) {
  return {
    method: operation.method,
    headers: headersOf(operation, state.values, credential.token),
    body: operation.requestBody ? state.body : undefined,
    redirect: "manual",
    signal,
  };
}

/** The same request for a shell. The token is a variable: a copied line must not carry it. */
function curl(operation, state) {
  const headers = headersOf(operation, state.values, "$TOKEN").map(([name, value]) => ` -H "${name}: ${value.replaceAll('"', '\\"')}"`);
  const method = operation.method === "GET" ? "" : ` -X ${operation.method}`;
  const data = operation.requestBody ? ` -d '${state.body}'` : "";
  return `curl${method}${headers.join("")}${data} "${location.origin}${BASE}${address(operation, state.values)}"`;
}

function exampleBody({ requestBody }, openapi) {
  const schema = resolve(requestBody?.content["application/json"].schema, openapi);
  if (!schema) return "";
  const names = schema.required?.length ? schema.required : Object.keys(schema.properties ?? {}).slice(0, 1);
  const value = (name) => (name === "path" ? BASE + "/api/dashboard/streaming/aggregate/" : schema.properties[name].type === "integer" ? 60 : "");
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, value(name)])));
}
