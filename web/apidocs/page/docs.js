/** The API page: reads both documents, shows them, and lets every operation and channel be tried. */
import { h, patch } from "../static/dom.js";
import { BASE } from "./base.js";
import { channelSection } from "./channel.js";
import { operationSection } from "./operation.js";
import { prose } from "./prose.js";

/** What the page knows besides the documents. The token stays in this page's memory and in its field. */
const credential = {
  field: document.getElementById("token"),
  get token() {
    return this.field.value.trim();
  },
};

async function load() {
  const main = document.getElementById("content");
  try {
    const [openapi, asyncapi] = await Promise.all(["/openapi.json", "/asyncapi.json"].map(document_));
    show(main, openapi, asyncapi);
  } catch (error) {
    patch(main, [h("h1", {}, "API"), h("p", { role: "alert" }, `The documents could not be read: ${error.message}`)]);
  }
}

async function document_(address) {
  const response = await fetch(BASE + address);
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  return response.json();
}

function show(main, openapi, asyncapi) {
  const groups = openapi.tags
    .map(({ name, description }) => ({ name, description, operations: operationsOf(openapi, name) }))
    .filter(({ operations }) => operations.length);
  const channels = Object.entries(asyncapi.channels);
  document.getElementById("release").textContent = openapi.info.version;
  patch(document.getElementById("contents"), contents(groups, channels));
  patch(main, [
    h("h1", {}, "API"),
    prose(openapi.info.description),
    groups.map(({ name, description, operations }) => [
      h("h2", { key: name, id: name }, title(name)),
      h("p", { key: `${name} text`, class: "dim" }, description),
      operations.map(() => h("section", { class: "operation" })),
    ]),
    h("h2", { key: "live", id: "live" }, "Sockets and stream"),
    h("div", { key: "live text" }, prose(asyncapi.info.description)),
    channels.map(() => h("section", { class: "operation" })),
  ]);
  const sections = main.querySelectorAll("section");
  const all = groups.flatMap(({ operations }) => operations);
  all.forEach((operation, index) => operationSection(sections[index], operation, openapi, credential));
  channels.forEach(([name, channel], index) => {
    channelSection(sections[all.length + index], name, channel, asyncapi, credential);
  });
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function operationsOf(openapi, tag) {
  return Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, operation]) => operation.tags.includes(tag))
      .map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  );
}

function contents(groups, channels) {
  const link = (id, text) => h("li", { key: id }, h("a", { href: `#${id}` }, text));
  return [
    groups.map(({ name, operations }) => [
      h("h2", { key: name }, title(name)),
      h("ul", { key: `${name} list` }, operations.map(({ operationId, summary }) => link(operationId, summary))),
    ]),
    h("h2", { key: "live" }, "Sockets and stream"),
    h("ul", { key: "live list" }, channels.map(([name, channel]) => link(`channel-${name}`, channel.title))),
  ];
}

function title(tag) {
  return tag[0].toUpperCase() + tag.slice(1);
}

load();
