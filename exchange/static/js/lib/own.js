// The reader's own orders, fills, balances and positions, kept up by the private channels.

import { get } from "./api.js";

const FILLS_KEPT = 200;
const OPEN = new Set(["pending", "open", "partially_filled"]);
const POSITIONS_AFTER_MS = 250;

/** Whether an order may still trade. */
export function isOpen(order) {
  return OPEN.has(order.status);
}

/** Fires `orders`, `fills`, `balances`, `positions`, and `filled` (detail: one fill that has just happened). */
export class Own extends EventTarget {
  constructor(venue, symbol) {
    super();
    this.venue = venue;
    this.symbol = symbol;
    this.orders = null; // Map id → order; null until loaded
    this.fills = null; // newest first
    this.balances = null;
    this.positions = null;
    this.failures = {};
  }

  start() {
    this.follow("orders", (order) => this.takeOrder(order), (open) => this.takeOpenOrders(open));
    this.follow("fills", (fill) => this.takeFill(fill), () => this.loadFills());
    this.follow("balances", (balance) => this.takeBalance(balance), (all) => this.takeBalances(all));
    this.loadPositions();
    this.venue.addEventListener("state", () => this.venue.state === "waiting" && this.readWithoutSocket());
  }

  /** No line to the venue: show at least what REST can tell, once. */
  readWithoutSocket() {
    if (!this.orders) this.loadOrders();
    if (!this.fills) this.loadFills();
    if (!this.balances) this.loadBalances();
  }

  /** A private channel: a snapshot of the present, then one event after the other, resumed where the line broke. */
  follow(channel, take, takeAll) {
    this.venue.subscribe(
      { channel },
      {
        message: (message) => (message.type === "snapshot" ? takeAll(message.data) : take(message.data)),
        refused: (problem) => {
          this.failures[channel] = problem;
          this.tell(channel);
        },
      },
    );
  }

  takeOrder(order) {
    if (this.keepOrder(order)) this.tell("orders");
    if (order.side === "sell") this.positionsSoon();
  }

  /** Keep the later of two states of an order: private messages and REST answers may cross on the way. */
  keepOrder(order) {
    this.orders ??= new Map();
    const known = this.orders.get(order.id);
    if (known && known.updated_at > order.updated_at) return false;
    if (known && !isOpen(known) && isOpen(order)) return false;
    this.orders.set(order.id, order);
    return true;
  }

  takeFill(fill) {
    if (this.fills?.some((known) => known.id === fill.id)) return;
    this.fills = [fill, ...(this.fills ?? [])].slice(0, FILLS_KEPT);
    this.dispatchEvent(new CustomEvent("filled", { detail: fill }));
    this.tell("fills");
    this.positionsSoon();
  }

  takeBalance(balance) {
    this.takeBalances([...(this.balances ?? []).filter((known) => known.currency !== balance.currency), balance]);
  }

  takeBalances(all) {
    this.balances = all;
    this.tell("balances");
  }

  /** All that is open now. What this page held for open and is not among them has ended unseen: ask what became of it. */
  async takeOpenOrders(open) {
    const now = new Set(open.map((order) => order.id));
    const gone = [...(this.orders?.values() ?? [])].filter((order) => isOpen(order) && !now.has(order.id));
    this.orders ??= new Map();
    open.forEach((order) => this.keepOrder(order));
    this.tell("orders");
    await this.load("orders", () => Promise.all(gone.map(async (order) => this.keepOrder(await get(`/orders/${order.id}`)))));
  }

  /** Read the open orders again, for when a cancel has found an order other than shown. */
  async loadOrders() {
    await this.load("orders", async () => {
      const answer = await get("/orders", { status: "live", limit: 1000 });
      await this.takeOpenOrders(answer.data);
    });
  }

  async loadFills() {
    await this.load("fills", async () => {
      const answer = await get("/fills", { limit: 100 });
      const all = new Map([...(this.fills ?? []), ...answer.data].map((fill) => [fill.id, fill]));
      const newest = (a, b) => (a.executed_at < b.executed_at ? 1 : a.executed_at > b.executed_at ? -1 : a.id < b.id ? 1 : -1);
      this.fills = [...all.values()].sort(newest).slice(0, FILLS_KEPT);
    });
  }

  async loadBalances() {
    await this.load("balances", async () => {
      this.takeBalances((await get("/balances")).data);
    });
  }

  /** There is no channel for positions yet: they change with fills and with asks, so they are read again after those. */
  positionsSoon() {
    clearTimeout(this.positionsTimer);
    this.positionsTimer = setTimeout(() => this.loadPositions(), POSITIONS_AFTER_MS);
  }

  async loadPositions() {
    await this.load("positions", async () => {
      this.positions = (await get("/positions", { limit: 1000 })).data;
    });
  }

  async load(what, read) {
    try {
      await read();
      delete this.failures[what];
    } catch (problem) {
      this.failures[what] = problem;
    }
    this.tell(what);
  }

  /** Open orders, newest first; only of `symbol` when given. */
  openOrders(symbol = null) {
    const all = [...(this.orders?.values() ?? [])].filter((order) => isOpen(order) && (!symbol || order.instrument === symbol));
    return all.sort((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : a.id < b.id ? 1 : -1));
  }

  balance(currency) {
    return this.balances?.find((balance) => balance.currency === currency) ?? null;
  }

  position(symbol) {
    return this.positions?.find((position) => position.instrument === symbol) ?? null;
  }

  tell(what) {
    this.dispatchEvent(new CustomEvent(what));
  }
}
