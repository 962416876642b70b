// Long lists, a page at a time (keyset cursors of the API).

import { get } from "./api.js";

/** Fires `change`. `rows` is null until the first page is there; `more` says whether there is another. */
export class PagedList extends EventTarget {
  constructor(path, params = {}) {
    super();
    this.path = path;
    this.params = params;
    this.reset();
  }

  reset() {
    this.rows = null;
    this.cursor = null;
    this.more = false;
    this.failure = null;
    this.loading = null;
    this.turn = (this.turn ?? 0) + 1;
  }

  /** Start over, with other parameters when given. */
  reload(params = this.params) {
    this.reset();
    this.params = params;
    return this.load();
  }

  /** The next page. Asked twice before it is there, it still comes once. */
  load() {
    this.loading ??= this.read();
    return this.loading;
  }

  async read() {
    const { turn } = this;
    try {
      const answer = await get(this.path, { ...this.params, cursor: this.cursor });
      if (turn !== this.turn) return;
      this.rows = [...(this.rows ?? []), ...answer.data];
      this.cursor = answer.next_cursor ?? null;
      this.more = this.cursor !== null;
      this.failure = null;
    } catch (problem) {
      if (turn !== this.turn) return;
      this.failure = problem;
    }
    this.loading = null;
    this.dispatchEvent(new CustomEvent("change"));
  }
}
