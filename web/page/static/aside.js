/**
 * Alerts that are acknowledged or put off: shown at once, and sent when the time to take it back is over, since the server
 * keeps no way back.
 */
export class Aside {
  /** Ids of what the server has not heard of yet, and into which state each goes. */
  #waiting = new Map();
  #toast;
  #changed;
  #failed;

  /** `changed()` is called when the alerts are to be shown anew; `failed(problem)` when the server could not be told. */
  constructor(toast, changed, failed) {
    this.#toast = toast;
    this.#changed = changed;
    this.#failed = failed;
  }

  /** The alerts as they are to be shown: as put here, until the server says that it knows. */
  apply(alerts) {
    return alerts.map((alert) => {
      if (alert.state !== "open") this.#waiting.delete(alert.id);
      return this.#waiting.has(alert.id) ? { ...alert, state: this.#waiting.get(alert.id) } : alert;
    });
  }

  /** `send(id)` tells the server of one of them. */
  put(ids, into, send, t) {
    ids.forEach((id) => this.#waiting.set(id, into));
    this.#changed();
    this.#toast.show(t(`put.${into}`, { count: ids.length }), { name: t("undo"), run: () => this.#forget(ids) }, async () => {
      try {
        await Promise.all(ids.map(send));
      } catch (problem) {
        this.#failed(problem);
        this.#forget(ids);
      }
    });
  }

  #forget(ids) {
    ids.forEach((id) => this.#waiting.delete(id));
    this.#changed();
  }
}
