/** One channel of the AsyncAPI document: its messages, its close codes, and a connection to try it with. */
import { h, patch } from "../static/dom.js";
import { BASE } from "./base.js";
import { inline, prose } from "./prose.js";
import { fields, resolve } from "./schema.js";

const MAX_LINES = 50;

/** Fills `section` with the channel and keeps it up to date. */
export function channelSection(section, name, channel, asyncapi, credential) {
  const state = { userId: "", link: null, lines: [], message: '{"type": "ping"}' };
  const render = () => patch(section, view(name, channel, asyncapi, state, act));
  const say = (line) => {
    state.lines = [...state.lines, line].slice(-MAX_LINES);
    render();
  };
  const act = {
    setUser: ({ target }) => {
      state.userId = target.value.trim();
    },
    setMessage: ({ target }) => {
      state.message = target.value;
    },
    connect: async (event) => {
      event.preventDefault();
      state.lines = [];
      try {
        state.link = await open(channel, state, credential, say, () => {
          state.link = null;
          render();
        });
      } catch (error) {
        say(`✕ ${error.message}`);
      }
      render();
    },
    send: () => {
      say(`→ ${state.message}`);
      state.link.send(state.message);
    },
    close: () => state.link.close(),
  };
  section.id = `channel-${name}`;
  render();
}

function view(name, channel, asyncapi, state, act) {
  const isSocket = Boolean(channel.bindings?.ws);
  const messages = (action) =>
    Object.values(asyncapi.operations)
      .filter((operation) => operation.action === action && operation.channel.$ref === `#/channels/${name}`)
      .flatMap((operation) => operation.messages.map((message) => resolve(resolve(message, asyncapi), asyncapi)));
  return [
    h("h3", {}, h("span", { class: "method live" }, isSocket ? "WS" : "SSE"), h("code", {}, channel.address)),
    h("p", { class: "summary", key: "summary" }, channel.title),
    h("div", { key: "text" }, prose(channel.description)),
    h(
      "form",
      { onsubmit: act.connect, "aria-label": `Try ${channel.title}` },
      channel.parameters &&
        h(
          "div",
          { class: "parameter" },
          h("label", { for: `${name}-user` }, h("code", {}, "user_id"), h("i", {}, " path")),
          h("input", { id: `${name}-user`, oninput: act.setUser, required: true, spellcheck: "false" }),
          h("p", { class: "dim" }, "The tenant; only the token's own exists."),
        ),
      h(
        "div",
        { class: "row" },
        state.link
          ? h("button", { type: "button", key: "close", onclick: act.close }, "Close")
          : h("button", { class: "primary", type: "submit", key: "connect" }, "Connect"),
        isSocket && h("input", { "aria-label": "Message", class: "message", oninput: act.setMessage, ".defaultValue": state.message }),
        isSocket && h("button", { type: "button", key: "send", disabled: !state.link, onclick: act.send }, "Send"),
      ),
    ),
    state.lines.length ? h("pre", { class: "answer", key: "lines", role: "log", tabindex: "0" }, state.lines.join("\n")) : null,
    table("Server to client", messages("send"), asyncapi),
    table("Client to server", messages("receive"), asyncapi),
    channel["x-close-codes"] && closeCodes(channel["x-close-codes"]),
  ];
}

function table(heading, messages, asyncapi) {
  if (!messages.length) return null;
  return h(
    "div",
    { key: heading },
    h("h4", {}, heading),
    messages.map((message) =>
      h(
        "details",
        { class: "possible", key: message.name },
        h("summary", {}, h("code", {}, message.name), " ", inline(message.summary)),
        fields(message.payload, asyncapi),
      ),
    ),
  );
}

function closeCodes(codes) {
  return h(
    "div",
    { key: "codes" },
    h("h4", {}, "Close codes"),
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ["Code", "Meaning", "The client should"].map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, codes.map(({ code, meaning, client_should: should }) => h("tr", {}, [code, meaning, should].map((text) => h("td", {}, text))))),
    ),
  );
}

/** Opens it as any page would: with the cookie, or with a ticket when there is a token. */
async function open(channel, state, credential, say, ended) {
  const path = BASE + channel.address.replace("{user_id}", encodeURIComponent(state.userId));
  const address = new URL(path, location.origin);
  if (credential.token) address.searchParams.set("ticket", await ticket(path, credential.token));
  return channel.bindings?.ws ? socket(address, say, ended) : stream(address, say, ended);
}

async function ticket(path, token) {
  const response = await fetch(`${BASE}/api/dashboard/tickets/`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: JSON.stringify({ path }),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${answer.status} ${answer.code}: ${answer.detail}`);
  return answer.ticket;
}

function socket(address, say, ended) {
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const made = new WebSocket(address);
  made.onmessage = ({ data }) => say(`← ${data}`);
  made.onclose = ({ code, reason }) => {
    say(`✕ closed ${code} ${reason}`);
    ended();
  };
  return made;
}

function stream(address, say, ended) {
  const made = new EventSource(address);
  const close = () => {
    made.close();
    ended();
  };
  made.onmessage = ({ data }) => {
    say(`← ${data}`);
    if (JSON.parse(data).type === "stream_end") close();
  };
  // It would try again by itself, with a ticket that is used up.
  made.onerror = () => {
    say("✕ the connection ended");
    close();
  };
  return { close };
}
