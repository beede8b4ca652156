/**
 * The page inside a frame of the host product: the host passes the token, since a browser keeps cookies from frames.
 *
 *     frame → host   { type: "daybook.token-needed" }
 *     host → frame   { type: "daybook.token", token }
 *
 * Only hosts listed in DASHBOARD_ALLOWED_ORIGINS are asked and believed; the server writes them into the page.
 */
const ANSWER_WITHIN_MS = 10_000;

/** A getToken for `connect`, or undefined where the cookie is the credential (the page is no frame, or of our own host). */
export function tokenFromHost(origins) {
  if (window.parent === window || origins.length === 0) return undefined;
  return () =>
    new Promise((resolve, reject) => {
      const events = new AbortController();
      const timer = setTimeout(() => {
        events.abort();
        reject(new Error("The page around this one gave no token."));
      }, ANSWER_WITHIN_MS);
      const answer = ({ source, origin, data }) => {
        if (source !== window.parent || !origins.includes(origin) || data?.type !== "daybook.token" || typeof data.token !== "string") return;
        clearTimeout(timer);
        events.abort();
        resolve(data.token);
      };
      addEventListener("message", answer, { signal: events.signal });
      for (const origin of origins) window.parent.postMessage({ type: "daybook.token-needed" }, origin);
    });
}
