// A part that shows a list page by page: loading, nothing, failed, and "show more" are the same everywhere.

import { empty, failed, h, loading, Part, redraw } from "../lib/dom.js";

export class Paged extends Part {
  /** Subclasses give `heads` ([text, class]), `caption`, `rowsOf(row)` (elements), and `nothing()` ([title, sentence]). */
  follow(list) {
    this.list = list;
    list.addEventListener("change", () => this.changed());
    this.restart();
  }

  /** Read it from the beginning. The same list stays in sight until its new rows are there. */
  restart(params) {
    if (params || !this.list.rows) this.replaceChildren(loading(this.wait));
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
    const known = this.lines.length;
    const asked = document.activeElement?.closest(".more-line") && this.contains(document.activeElement);
    redraw(this, this.whole(list.rows), list.more || list.failure ? this.moreLine() : "");
    if (asked) (this.lines[known]?.querySelector("a, button, summary") ?? this.querySelector(".more-line button"))?.focus();
  }

  get lines() {
    return this.querySelectorAll("tbody > tr, .cards > li");
  }

  whole(rows) {
    const heads = this.heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text));
    const table = h(
      "table",
      { class: `table ${this.kind}` },
      h("caption", { class: "sr-only" }, this.caption),
      h("thead", {}, h("tr", {}, ...heads)),
      h("tbody", {}, ...rows.flatMap((row) => this.rowsOf(row))),
    );
    return h("div", { class: "scroll" }, table);
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

/** The same as cards: subclasses give `card(row)` instead of a table's parts, and `wait`, what is said meanwhile. */
export class PagedCards extends Paged {
  whole(rows) {
    return h("ul", { class: "cards" }, ...rows.map((row) => this.card(row)));
  }
}
