// A part that shows a list page by page: loading, nothing, failed, and "show more" are the same everywhere.

import { empty, failed, h, loading, Part } from "../lib/dom.js";

export class Paged extends Part {
  /** Subclasses give `heads` ([text, class]), `caption`, `rowsOf(row)` (elements), and `nothing()` ([title, sentence]). */
  follow(list) {
    this.list = list;
    list.addEventListener("change", () => this.changed());
    this.restart();
  }

  restart(params) {
    this.replaceChildren(loading());
    this.list.reload(params);
  }

  draw() {
    const { list } = this;
    if (!list.rows) {
      if (list.failure) this.replaceChildren(failed(list.failure, () => this.restart()));
      return;
    }
    if (!list.rows.length) {
      this.replaceChildren(empty(...this.nothing()));
      return;
    }
    const heads = this.heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text));
    const table = h(
      "table",
      { class: `table ${this.kind}` },
      h("caption", { class: "sr-only" }, this.caption),
      h("thead", {}, h("tr", {}, ...heads)),
      h("tbody", {}, ...list.rows.flatMap((row) => this.rowsOf(row))),
    );
    this.replaceChildren(h("div", { class: "scroll" }, table), list.more || list.failure ? this.moreLine() : "");
  }

  moreLine() {
    const { failure } = this.list;
    return h(
      "div",
      { class: "more-line" },
      failure ? h("p", { class: "bad", role: "alert" }, failure.message) : null,
      h("button", { class: "button", type: "button", onclick: () => this.list.load() }, failure ? "Try again" : "Show more"),
    );
  }
}
