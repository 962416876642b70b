// One instrument as the public channels tell it: its proven book, its trades, its ticker, its phase.

import { get } from "./api.js";
import { BookCopy, BookMismatch } from "./book.js";

const DEPTH = 50;
const TRADES_KEPT = 200;
const REFRESH_MS = 30000;

/** Fires `book`, `trades`, `ticker`, `instrument`, `proof` and `fresh-trades` (detail: the new trades, oldest first). */
export class Market extends EventTarget {
  constructor(venue, symbol) {
    super();
    this.venue = venue;
    this.symbol = symbol;
    this.book = new BookCopy();
    this.trades = null; // newest first; null until loaded
    this.ticker = null;
    this.instrument = null;
    this.failure = null;
    this.proof = { state: "waiting", proven: 0, resyncs: 0 };
    this.waitsForSnapshot = true;
    this.behind = 0;
  }

  start() {
    const { venue, symbol } = this;
    venue.subscribe({ channel: "book", instrument: symbol, depth: DEPTH }, this.bookReader());
    venue.subscribe(
      { channel: "trades", instrument: symbol },
      { message: (message) => this.hearTrades(message), live: () => this.loadTrades() },
    );
    venue.subscribe({ channel: "ticker", instrument: symbol }, { message: (message) => this.hearTicker(message.data) });
    venue.addEventListener("heartbeat", (event) => this.compareWith(event.detail));
    venue.addEventListener("state", () => venue.state === "waiting" && !this.trades && this.loadTrades());
    this.loadInstrument();
    setInterval(() => this.loadInstrument(), REFRESH_MS);
  }

  bookReader() {
    return {
      message: (message) => this.hearBook(message),
      lost: () => this.bookLost("waiting"),
      refused: () => this.bookLost("refused"),
    };
  }

  hearBook(message) {
    if (message.type !== "snapshot" && this.waitsForSnapshot) return;
    try {
      this.book.apply(message, DEPTH);
    } catch (failure) {
      if (!(failure instanceof BookMismatch)) throw failure;
      this.resync(failure.message);
      return;
    }
    this.waitsForSnapshot = false;
    this.proof.state = "proven";
    this.proof.proven += 1;
    this.tell("proof");
    this.tell("book");
  }

  /** A heartbeat names the latest sequence: two in a row ahead of this copy mean that a message was lost. */
  compareWith({ ch, inst, seq }) {
    if (ch !== "book" || inst !== this.symbol || !this.book.proven) return;
    this.behind = BigInt(seq) > BigInt(this.book.seq) ? this.behind + 1 : 0;
    if (this.behind > 1) this.resync(`the venue is at ${seq}, this copy at ${this.book.seq}`);
  }

  resync(why) {
    this.behind = 0;
    this.proof.resyncs += 1;
    this.proof.why = why;
    this.bookLost("resyncing");
    this.venue.restart({ channel: "book", instrument: this.symbol });
  }

  bookLost(state) {
    this.waitsForSnapshot = true;
    this.book.forget();
    this.proof.state = state;
    this.tell("proof");
    this.tell("book");
  }

  hearTrades(message) {
    const fresh = message.data.filter((trade) => !this.knowsTrade(trade.id));
    if (message.type === "snapshot") {
      this.takeTrades(fresh);
      return;
    }
    if (!fresh.length) return;
    this.trades = [...[...fresh].reverse(), ...(this.trades ?? [])].slice(0, TRADES_KEPT);
    this.dispatchEvent(new CustomEvent("fresh-trades", { detail: fresh }));
    this.tell("trades");
  }

  knowsTrade(id) {
    return Boolean(this.trades?.some((trade) => trade.id === id));
  }

  /** What the tape said before this page was open; also what was missed while the line was down. */
  async loadTrades() {
    try {
      const answer = await get(`/instruments/${this.symbol}/trades`, { limit: 100 });
      this.takeTrades(answer.data);
    } catch {
      this.trades ??= [];
      this.tell("trades");
    }
  }

  takeTrades(more) {
    const all = new Map([...(this.trades ?? []), ...more].map((trade) => [trade.id, trade]));
    const newest = (a, b) => (BigInt(a.trade_no) < BigInt(b.trade_no) ? 1 : -1);
    this.trades = [...all.values()].sort(newest).slice(0, TRADES_KEPT);
    this.tell("trades");
  }

  hearTicker(ticker) {
    const { phase } = this;
    const takersOut = this.postOnly;
    this.ticker = { ...this.ticker, ...ticker };
    if (ticker.phase && (ticker.phase !== phase || this.postOnly !== takersOut)) this.loadInstrument();
    this.tell("ticker");
  }

  async loadInstrument() {
    try {
      this.instrument = await get(`/instruments/${this.symbol}`);
      this.failure = null;
    } catch (problem) {
      this.failure = problem;
    }
    this.tell("instrument");
  }

  /** The latest known phase, from whichever channel told it last. */
  get phase() {
    return this.ticker?.phase ?? this.instrument?.phase ?? "";
  }

  /** Whether only orders that rest may enter. */
  get postOnly() {
    return this.ticker?.post_only ?? this.instrument?.post_only ?? false;
  }

  get bestBid() {
    return this.book.bids[0]?.[0] ?? null;
  }

  get bestAsk() {
    return this.book.asks[0]?.[0] ?? null;
  }

  get lastPrice() {
    return this.trades?.[0]?.price ?? this.ticker?.last_price ?? this.instrument?.last_price ?? null;
  }

  tell(what) {
    this.dispatchEvent(new CustomEvent(what));
  }
}
