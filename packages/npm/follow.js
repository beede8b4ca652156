/** What React and Vue both need: a share in the page's connection, told as one value that is new whenever something is. */
import { join } from "./dist/live.js";

/** Before anything is known. */
export const NOTHING = { snapshot: null, overview: null, alerts: null, status: null, client: null };

/** Calls `changed` with what is known, as types.d.ts describes it, until the function that is returned is called. */
export function follow({ baseUrl, getToken }, needs, changed) {
  let live = null;
  let over = false;
  const told = () => {
    if (!live || over) return;
    const { snapshot, overview, stored, status } = live.known;
    changed({ snapshot, overview, alerts: stored ?? null, status, client: live.client });
  };
  const member = { needs, getToken, told };
  const base = new URL(baseUrl, document.baseURI).href.replace(/\/?$/, "/");
  join(base, member).then((joined) => {
    if (over) return joined.leave(member);
    live = joined;
    told();
  });
  return () => {
    over = true;
    live?.leave(member);
  };
}
