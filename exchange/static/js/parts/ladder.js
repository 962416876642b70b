// The book as a ladder: asks above, bids below, the sum of what stands before each level drawn behind it.

import { grouped, subtract } from "../lib/decimal.js";
import { expectedWords, perExpected } from "../lib/delivery.js";
import { define, empty, h, loading, Part, setAttribute, setText } from "../lib/dom.js";

const ROWS = 10;

/** One level's row. Its button fills the ticket with the price that stood there when it was pressed. */
class Row {
  constructor(side, pick) {
    this.side = side;
    this.price = h("button", {
      type: "button",
      class: "price",
      tabIndex: -1,
      onpointerdown: () => {
        this.pressed = this.price.dataset.price;
      },
      onclick: () => {
        const price = this.pressed ?? this.price.dataset.price;
        this.pressed = null;
        if (price) pick(price, side);
      },
    });
    this.own = h("span", { class: "own" });
    this.quantity = h("td", { class: "num" });
    this.sum = h("td", { class: "num sum" });
    const head = h("th", { scope: "row", class: `num ${side === "bid" ? "buy" : "sell"}` }, this.own, this.price);
    this.expected = h("td", { class: "num expected" });
    this.element = h("tr", { class: `level ${side}` }, head, this.expected, this.quantity, this.sum);
  }

  show(level, sum, share, own, bps) {
    const [price, quantity, orders] = level ?? ["", "", ""];
    this.price.disabled = !level;
    this.price.dataset.price = price;
    setText(this.price, price || "·");
    setText(this.expected, perExpected(price, bps) ?? "");
    setText(this.quantity, quantity ? grouped(quantity) : "");
    setText(this.sum, sum ? grouped(sum) : "");
    setText(this.own, own ? `◆${grouped(own)}` : "");
    setAttribute(this.own, "title", own ? `Your orders here: ${own} lots` : null);
    setAttribute(this.own, "aria-label", own ? `Your orders here: ${own} lots.` : null);
    setAttribute(this.element, "title", level ? `${orders} ${String(orders) === "1" ? "order" : "orders"}` : null);
    this.element.style.setProperty("--share", share);
  }
}

class Ladder extends Part {
  connect({ market, own }) {
    this.market = market;
    this.ownOrders = own;
    market.addEventListener("book", () => this.changed());
    market.venue.addEventListener("state", () => market.venue.state === "waiting" && this.changed());
    market.addEventListener("instrument", () => this.changed());
    own?.addEventListener("orders", () => this.changed());
    this.addEventListener("keydown", (event) => this.move(event));
    this.replaceChildren(loading("Loading the book"));
  }

  build() {
    const pick = (price, side) => this.dispatchEvent(new CustomEvent("pick", { bubbles: true, detail: { price, side } }));
    const rows = (side) => Array.from({ length: ROWS }, () => new Row(side, pick));
    this.asks = rows("ask");
    this.bids = rows("bid");
    this.spread = h("td", { colSpan: 4 });
    this.expected = h("th", { scope: "col", class: "num expected" }, "Expected");
    const head = h(
      "tr",
      {},
      h("th", { scope: "col", class: "num" }, "Price"),
      this.expected,
      ...["Lots", "Sum"].map((text) => h("th", { scope: "col", class: "num" }, text)),
    );
    this.replaceChildren(
      h(
        "table",
        { class: "ladder" },
        h("caption", { class: "sr-only" }, "Order book: asks, best last; then bids, best first. Arrow keys move, Enter takes a price into the ticket."),
        h("thead", {}, head),
        h("tbody", {}, ...[...this.asks].reverse().map((row) => row.element)),
        h("tbody", {}, h("tr", { class: "spread" }, this.spread)),
        h("tbody", {}, ...this.bids.map((row) => row.element)),
      ),
    );
    this.bids[0].price.tabIndex = 0;
  }

  draw() {
    const { book } = this.market;
    if (!book.proven) {
      if (this.asks) this.classList.add("stale");
      else if (this.market.proof.state === "waiting") this.replaceChildren(empty("Not connected", "The book appears as soon as the line is back and the copy is proven."));
      else if (this.market.proof.state === "refused") this.replaceChildren(empty("The venue does not offer this book"));
      return;
    }
    if (!this.asks) this.build();
    this.classList.remove("stale");
    const most = [book.asks, book.bids].map((side) => side.slice(0, ROWS).reduce((sum, level) => sum + BigInt(level[1]), 0n));
    const highest = most[0] > most[1] ? most[0] : most[1];
    const own = this.ownAt();
    this.expect();
    this.fill(this.asks, book.asks, highest, own.sell);
    this.fill(this.bids, book.bids, highest, own.buy);
    this.drawSpread(book);
  }

  /** Beside each price, what a lot costs by what may be expected of its issuers; where they have no record the column is away. */
  expect() {
    const { instrument } = this.market;
    this.bps = instrument?.expected_delivery_bps ?? null;
    this.classList.toggle("with-expected", Boolean(this.bps));
    this.spread.colSpan = this.bps ? 4 : 3;
    setAttribute(this.expected, "title", this.bps ? `Price of a lot over the expected delivery: ${expectedWords(instrument)}` : null);
  }

  /** Own resting lots by side and price. */
  ownAt() {
    const at = { buy: new Map(), sell: new Map() };
    for (const order of this.ownOrders?.openOrders(this.market.symbol) ?? []) {
      if (order.price === null) continue;
      const side = at[order.side];
      side.set(order.price, (side.get(order.price) ?? 0n) + BigInt(order.remaining_quantity));
    }
    return at;
  }

  fill(rows, levels, highest, own) {
    let sum = 0n;
    rows.forEach((row, i) => {
      const level = levels[i];
      if (level) sum += BigInt(level[1]);
      const share = level && highest > 0n ? Number((sum * 1000n) / highest) / 1000 : 0; // for drawing only
      row.show(level, level ? sum.toString() : "", share, level ? own.get(level[0])?.toString() : "", this.bps);
    });
  }

  drawSpread(book) {
    const bid = book.bids[0]?.[0];
    const ask = book.asks[0]?.[0];
    const last = this.market.lastPrice;
    const gap = bid && ask ? `Spread ${subtract(ask, bid)}` : bid ? "No asks" : ask ? "No bids" : "No orders rest here yet";
    const parts = [gap, last ? `last ${last}` : ""];
    setText(this.spread, parts.filter(Boolean).join(" · "));
  }

  /** Arrow keys walk the levels that are there. */
  move(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step || !this.asks) return;
    const buttons = [...this.querySelectorAll("button.price:not(:disabled)")].filter((button) => button.checkVisibility());
    const at = buttons.indexOf(document.activeElement);
    const next = buttons[at + step];
    if (at < 0 || !next) return;
    event.preventDefault();
    document.activeElement.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }

  /** The best prices in one sentence, for reading out. */
  get summary() {
    const { bids, asks } = this.market.book;
    const side = (name, level) => (level ? `${name} ${level[0]} for ${level[1]} lots` : `no ${name}`);
    return `${side("bid", bids[0])}, ${side("ask", asks[0])}`;
  }
}

define("sx-ladder", Ladder);
