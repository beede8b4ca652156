/**
 * The stream in the place of a socket, where something between refuses WebSockets: the same messages, from the server only.
 */
const OPEN_WITHIN_MS = 10_000;
/** The server sends the snapshot again every 30 s: silence that outlasts two of them is the connection's. */
const SILENCE_MS = 75_000;

/** What to do after the end that the stream tells; one that tells none is tried again. */
const ENDS = new Map([
  ["restarting", { floorMs: 250 }],
  ["token_expired", { renew: true }],
  ["gone", { stop: true }],
]);

/**
 * Reads the stream until it ends; resolves to how, as Channel wants it. `hooks.up()`, `hooks.message(object)`;
 * `hold` is given what closes it.
 */
export function readStream(address, hooks, hold) {
  return new Promise((resolve) => {
    const source = new EventSource(address, { withCredentials: true });
    let opened = false;
    const end = (result) => {
      clearTimeout(timer);
      // It would come back by itself, with a ticket that is used up.
      source.close();
      source.onmessage = source.onerror = null;
      resolve({ opened, floorMs: 0, ...result });
    };
    let timer = setTimeout(end, OPEN_WITHIN_MS);
    hold(() => end({}));
    source.onerror = () => end({});
    source.onmessage = ({ data }) => {
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE_MS);
      const { type, sequence, ...rest } = JSON.parse(data);
      if (type === "stream_end") return end(ENDS.get(rest.reason));
      if (!opened) {
        opened = true;
        hooks.up();
      }
      const message = asOfSocket(type, rest);
      if (message) hooks.message(message);
    };
  });
}

/** An event of the stream as the socket's message that means the same. */
function asOfSocket(type, rest) {
  if (type === "connection") return { type: "connection.established", user_id: rest.user_id, update_interval: rest.interval, timestamp: rest.timestamp };
  if (type === "dashboard_update") return { type: "dashboard.update", data: rest };
  return type === "status" ? { type: "dashboard.status", ...rest } : null;
}
