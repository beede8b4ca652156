/** How often something is loaded. */

/**
 * Runs `load` now; if asked for again within `everyMs` after that, once more when this time is over. Resolves when the
 * run that is under way is over.
 */
export function coalesced(load, everyMs) {
  let wanted = false;
  let busy = false;
  /** @type {Promise<void> | undefined} */
  let running;
  return function run() {
    wanted = busy;
    if (busy) return running;
    busy = true;
    running = load();
    running?.finally(() =>
      setTimeout(() => {
        busy = false;
        if (wanted) run();
      }, everyMs),
    );
    return running;
  };
}
