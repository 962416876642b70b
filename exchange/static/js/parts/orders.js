// Open orders, with cancel and cancel-all. What was cancelled disappears when the venue says so, not before.

import { announce } from "../lib/announce.js";
import { del } from "../lib/api.js";
import { ask } from "../lib/ask.js";
import { grouped } from "../lib/decimal.js";
import { define, empty, failed, h, loading, Part, setText } from "../lib/dom.js";
import { clockTime, dayTime } from "../lib/time.js";
import { lots, statusWords, tifWords } from "../lib/words.js";

const HEADS = [["Time", ""], ["Market", "market"], ["Side", ""], ["Price", "num"], ["Lots", "num"], ["Filled", "num"], ["Valid", "wide"], ["Status", "wide"], ["Action", "end"]];

/** "▲ Buy": the side in a word, a mark and a colour. */
export function sideCell(side) {
  return h("td", { class: side }, h("span", { "aria-hidden": "true" }, side === "buy" ? "▲ " : "▼ "), side === "buy" ? "Buy" : "Sell");
}

class Orders extends Part {
  connect({ market, own }) {
    this.market = market;
    this.own = own;
    this.rows = new Map();
    this.cancelling = new Set();
    own.addEventListener("orders", () => this.changed());
    this.replaceChildren(loading("Loading your orders"));
  }

  get scope() {
    return this.dataset.scope === "all" || !this.market ? null : this.market.symbol;
  }

  draw() {
    const { own } = this;
    if (own.failures.orders && !own.orders) {
      this.replaceChildren(failed(own.failures.orders, () => own.loadOrders()));
      return;
    }
    if (!own.orders) return;
    const orders = own.openOrders(this.scope);
    this.dispatchEvent(new CustomEvent("count", { bubbles: true, detail: orders.length }));
    if (!orders.length) {
      this.rows.clear();
      this.table = null;
      const elsewhere = own.openOrders().length;
      const hint = elsewhere ? `${elsewhere} in other markets: choose “All markets” to see them.` : "What you place and does not trade at once rests here.";
      this.replaceChildren(empty("No open orders", hint));
      return;
    }
    if (!this.table) this.build();
    this.table.classList.toggle("one-market", Boolean(this.scope));
    this.sync(orders);
  }

  build() {
    this.body = h("tbody");
    const heads = HEADS.map(([text, kind]) => h("th", { scope: "col", class: kind }, text || h("span", { class: "sr-only" }, "Cancel")));
    this.table = h("table", { class: "table orders" }, h("caption", { class: "sr-only" }, "Open orders"), h("thead", {}, h("tr", {}, ...heads)), this.body);
    this.replaceChildren(this.table);
  }

  /** Rows stay where focus is: only what changed is replaced. */
  sync(orders) {
    const wanted = new Map(orders.map((order) => [order.id, order]));
    for (const [id, row] of this.rows) {
      if (!wanted.has(id)) {
        row.element.remove();
        this.rows.delete(id);
      }
    }
    let place = this.body.firstChild;
    for (const order of orders) {
      let row = this.rows.get(order.id);
      if (!row) {
        row = this.row(order);
        this.rows.set(order.id, row);
      }
      this.fill(row, order);
      if (row.element === place) place = place.nextSibling;
      else this.body.insertBefore(row.element, place);
    }
  }

  row(order) {
    const cell = (kind = "") => h("td", { class: kind });
    const cells = { time: cell("muted nowrap"), market: cell("market"), price: cell("num"), quantity: cell("num"), filled: cell("num"), valid: cell("wide"), status: cell("wide") };
    const button = h("button", { class: "button small", type: "button", onclick: () => this.cancel(order) }, "Cancel");
    const { time, market, price, quantity, filled, valid, status } = cells;
    market.append(h("a", { href: `/trade/${order.instrument}` }, order.instrument));
    const element = h("tr", { "data-order": order.id }, time, market, sideCell(order.side), price, quantity, filled, valid, status, h("td", { class: "end" }, button));
    return { element, cells, button };
  }

  fill({ cells, button }, order) {
    setText(cells.time, order.created_at ? clockTime(order.created_at) : "…");
    cells.time.title = order.created_at ? `${dayTime(order.created_at)} UTC · ${order.id}` : order.id;
    setText(cells.price, order.price ?? "market");
    setText(cells.quantity, grouped(order.quantity ?? "–"));
    setText(cells.filled, grouped(order.filled_quantity ?? "0"));
    setText(cells.valid, order.expire_time ? `${dayTime(order.expire_time)}` : tifWords(order.time_in_force ?? "gtg") + (order.post_only ? " · post" : ""));
    setText(cells.status, statusWords(order.status));
    button.disabled = this.cancelling.has(order.id);
    button.setAttribute("aria-label", `Cancel ${order.side} ${order.quantity} at ${order.price ?? "market"}`);
  }

  async cancel(order) {
    this.cancelling.add(order.id);
    this.changed();
    try {
      const answer = await del(`/orders/${order.id}`);
      if (answer?.id) this.own.takeOrder({ ...order, ...answer });
      announce("Order cancelled", `${order.side === "buy" ? "Buy" : "Sell"} ${lots(order.remaining_quantity ?? order.quantity)} at ${order.price}`);
    } catch (problem) {
      announce("Not cancelled", problem.message, "error");
      this.own.loadOrders();
    }
    this.cancelling.delete(order.id);
    this.changed();
  }
}

/** "Cancel all …" with one question before it. */
class CancelAll extends HTMLElement {
  connect({ market, own }) {
    Object.assign(this, { market, own });
    this.button = h("button", { class: "button small danger", type: "button", disabled: true, onclick: () => this.ask() }, "Cancel all");
    this.replaceChildren(this.button);
    own.addEventListener("orders", () => {
      this.button.disabled = !own.openOrders().length;
    });
  }

  async ask() {
    if (this.button.disabled) return;
    const here = this.own.openOrders(this.market.symbol).length;
    const everywhere = this.own.openOrders().length;
    const choices = [];
    if (here) choices.push([{ instrument: this.market.symbol }, here === everywhere ? `Cancel all (${here})` : `In this market (${here})`]);
    if (here !== everywhere) choices.push([{}, `In all markets (${everywhere})`]);
    const sentence = "What they hold is released. Fills that happen before the cancel reaches the book stand.";
    const params = await ask("Cancel all open orders?", sentence, choices, "Keep them");
    if (params) await this.cancel(params);
  }

  async cancel(params) {
    try {
      const answer = await del("/orders", params);
      const count = String(answer.count);
      announce(`${count} ${count === "1" ? "order" : "orders"} cancelled`);
    } catch (problem) {
      announce("Not cancelled", problem.message, "error");
    }
    this.own.loadOrders();
  }
}

define("sx-orders", Orders);
define("sx-cancel-all", CancelAll);
