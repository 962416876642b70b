// The reader's own orders, fills, balances and positions: read once over REST, then kept up by the private channels.

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
    this.live = { orders: new Map(), fills: [], balances: new Map() };
  }

  start() {
    this.follow("orders", (order) => this.takeOrder(order), () => this.loadOrders());
    this.follow("fills", (fill) => this.takeFill(fill), () => this.loadFills());
    this.follow("balances", (balance) => this.takeBalance(balance), () => this.loadBalances());
    this.loadPositions();
  }

  /** A private channel: read the present once it is live, so that nothing falls between the two. */
  follow(channel, take, load) {
    this.venue.subscribe(
      { channel },
      {
        message: (message) => [message.data].flat().forEach(take),
        live: (_, resumed) => {
          if (!resumed) load();
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
    this.balances = [...(this.balances ?? []).filter((known) => known.currency !== balance.currency), balance];
    this.balancesHeard = (this.balancesHeard ?? 0) + 1;
    this.tell("balances");
  }

  async loadOrders() {
    await this.load("orders", async () => {
      const answer = await get("/orders", { status: "live", limit: 1000 });
      const now = new Set(answer.data.map((order) => order.id));
      const gone = [...(this.orders?.values() ?? [])].filter((order) => isOpen(order) && !now.has(order.id));
      this.orders ??= new Map();
      answer.data.forEach((order) => this.keepOrder(order));
      await Promise.all(gone.map(async (order) => this.keepOrder(await get(`/orders/${order.id}`))));
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
    const heard = this.balancesHeard;
    await this.load("balances", async () => {
      const answer = await get("/balances");
      if (this.balancesHeard === heard) this.balances = answer.data ?? answer;
    });
  }

  /** There is no channel for positions yet: they change with fills and with asks, so they are read again after those. */
  positionsSoon() {
    clearTimeout(this.positionsTimer);
    this.positionsTimer = setTimeout(() => this.loadPositions(), POSITIONS_AFTER_MS);
  }

  async loadPositions() {
    await this.load("positions", async () => {
      const answer = await get("/positions");
      this.positions = answer.data ?? answer;
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
