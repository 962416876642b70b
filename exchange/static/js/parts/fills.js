// Fills, each with what was delivered for it: which right, from which parent, issuer and terms.

import { announce } from "../lib/announce.js";
import { grouped } from "../lib/decimal.js";
import { define, empty, failed, h, loading, Part } from "../lib/dom.js";
import { clockTime, dayTime } from "../lib/time.js";
import { lots } from "../lib/words.js";
import { sideCell } from "./orders.js";
import { issuerLink, shortId } from "./preview.js";

const SHOWN = 100;
const HEADS = [["Time", ""], ["Market", "market"], ["Side", ""], ["Price", "num"], ["Lots", "num"], ["Fee", "num wide"], ["Role", "wide"], ["Deliveries", "end"]];

class Fills extends Part {
  connect({ market, own }) {
    this.market = market;
    this.own = own;
    this.rows = new Map();
    own.addEventListener("fills", () => this.changed());
    own.addEventListener("filled", (event) => this.tell(event.detail));
    this.replaceChildren(loading("Loading your fills"));
  }

  tell(fill) {
    const verb = fill.side === "buy" ? "Bought" : "Sold";
    const detail = `${grouped(fill.units)} units ${fill.side === "buy" ? "delivered to you" : "delivered"}${fill.fee === "0.00" ? "" : `, fee ${fill.fee}`}.`;
    announce(`${verb} ${lots(grouped(fill.quantity))} at ${fill.price}`, detail, fill.side);
  }

  draw() {
    const { own } = this;
    if (own.failures.fills && !own.fills) {
      this.replaceChildren(failed(own.failures.fills, () => own.loadFills()));
      return;
    }
    if (!own.fills) return;
    const symbol = this.dataset.scope === "all" || !this.market ? null : this.market.symbol;
    const fills = own.fills.filter((fill) => !symbol || fill.instrument === symbol).slice(0, SHOWN);
    if (!fills.length) {
      this.rows.clear();
      this.table = null;
      this.replaceChildren(empty("No fills here yet", "Each trade of yours appears with the rights it delivered."));
      return;
    }
    if (!this.table) this.build();
    this.table.classList.toggle("one-market", Boolean(symbol));
    this.sync(fills);
  }

  build() {
    this.body = h("tbody");
    this.rows.clear();
    const heads = HEADS.map(([text, kind]) => h("th", { scope: "col", class: kind }, text));
    this.table = h("table", { class: "table fills" }, h("caption", { class: "sr-only" }, "Your fills"), h("thead", {}, h("tr", {}, ...heads)), this.body);
    this.replaceChildren(this.table);
  }

  sync(fills) {
    const keep = new Set(fills.map((fill) => fill.id));
    for (const [id, rows] of this.rows) {
      if (!keep.has(id)) {
        rows.forEach((row) => row.remove());
        this.rows.delete(id);
      }
    }
    let place = this.body.firstChild;
    for (const fill of fills) {
      if (!this.rows.has(fill.id)) this.rows.set(fill.id, this.pair(fill));
      for (const row of this.rows.get(fill.id)) {
        if (row === place) place = place.nextSibling;
        else this.body.insertBefore(row, place);
      }
    }
  }

  /** The fill's row and the folded row of its deliveries. */
  pair(fill) {
    const count = fill.deliveries?.length ?? 0;
    const detail = h("tr", { class: "detail", hidden: true }, h("td", { colSpan: HEADS.length }, this.deliveries(fill)));
    const button = h(
      "button",
      {
        class: "button quiet small",
        type: "button",
        "aria-expanded": "false",
        "aria-label": `Deliveries of ${lots(fill.quantity)} at ${fill.price}`,
        onclick: () => {
          detail.hidden = !detail.hidden;
          button.setAttribute("aria-expanded", String(!detail.hidden));
        },
      },
      `${count} ${count === 1 ? "right" : "rights"} ▾`,
    );
    const row = h(
      "tr",
      { "data-fill": fill.id },
      h("td", { class: "muted nowrap", title: `${dayTime(fill.executed_at)} UTC · ${fill.id}` }, clockTime(fill.executed_at)),
      h("td", { class: "market" }, h("a", { href: `/trade/${fill.instrument}` }, fill.instrument)),
      sideCell(fill.side),
      h("td", { class: "num" }, fill.price),
      h("td", { class: "num" }, grouped(fill.quantity)),
      h("td", { class: "num wide" }, fill.fee),
      h("td", { class: "wide" }, fill.liquidity),
      h("td", { class: "end" }, button),
    );
    return [row, detail];
  }

  deliveries(fill) {
    const term = (name, ...value) => h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
    return h(
      "ul",
      { class: "delivery-list" },
      ...(fill.deliveries ?? []).map((delivery) =>
        h(
          "li",
          {},
          h(
            "dl",
            {},
            term("Right", shortId(delivery.right_id)),
            delivery.parent_right_id === delivery.right_id ? term("Moved", "whole") : term("Split from", shortId(delivery.parent_right_id)),
            term("Units", grouped(delivery.units)),
            term("Issuer", delivery.issuer_id ? issuerLink(delivery.issuer_id) : "–"),
            term("Terms", h("code", { title: delivery.terms_hash }, delivery.terms_hash?.slice(0, 10) ?? "–")),
          ),
        ),
      ),
      h("li", { class: "muted" }, "Event ", shortId(fill.event_id ?? "evt_none"), " · book seq ", fill.book_seq),
    );
  }
}

define("sx-fills", Fills);
