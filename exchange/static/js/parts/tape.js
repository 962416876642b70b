// The tape: trades as they happen, newest on top.

import { grouped } from "../lib/decimal.js";
import { define, empty, h, loading, Part } from "../lib/dom.js";
import { clockTime, dayTime } from "../lib/time.js";

const SHOWN = 60;
const MARK = { buy: ["▲", "bought"], sell: ["▼", "sold"], auction: ["◆", "auction"] };

class Tape extends Part {
  connect({ market }) {
    this.market = market;
    this.rows = new Map();
    market.addEventListener("trades", () => this.changed());
    this.replaceChildren(loading("Loading trades"));
  }

  build() {
    this.body = h("tbody");
    const head = ["Price", "Lots", "Time UTC"].map((text) => h("th", { scope: "col", class: "num" }, text));
    this.table = h("table", { class: "tape" }, h("caption", { class: "sr-only" }, "Latest trades"), h("thead", {}, h("tr", {}, ...head)), this.body);
  }

  draw() {
    const { trades } = this.market;
    if (trades === null) return;
    if (!trades.length) {
      this.rows.clear();
      this.table = null;
      this.replaceChildren(empty("No trades yet", "They appear here the moment they are durable."));
      return;
    }
    if (!this.table) {
      this.build();
      this.replaceChildren(this.table);
    }
    const wanted = trades.slice(0, SHOWN);
    const keep = new Set(wanted.map((trade) => trade.id));
    for (const [id, row] of this.rows) {
      if (!keep.has(id)) {
        row.remove();
        this.rows.delete(id);
      }
    }
    let after = null;
    for (const trade of wanted) {
      let row = this.rows.get(trade.id);
      if (!row) {
        row = this.row(trade);
        this.rows.set(trade.id, row);
      }
      const place = after ? after.nextSibling : this.body.firstChild;
      if (row !== place) this.body.insertBefore(row, place);
      after = row;
    }
  }

  row(trade) {
    const [mark, word] = MARK[trade.aggressor_side] ?? MARK.auction;
    const kind = trade.aggressor_side === "auction" ? "" : trade.aggressor_side;
    return h(
      "tr",
      { title: `${dayTime(trade.executed_at)} UTC · taker ${word}` },
      h("td", { class: `num ${kind}` }, h("span", { class: "mark", "aria-hidden": "true" }, mark), h("span", { class: "sr-only" }, `${word} `), trade.price),
      h("td", { class: "num" }, grouped(trade.quantity)),
      h("td", { class: "num muted" }, clockTime(trade.executed_at)),
    );
  }
}

define("sx-tape", Tape);
