// The board, kept up by the tickers of the rows in sight. The server drew the rows; this only changes what moved.

import { grouped } from "../lib/decimal.js";
import { define, setText } from "../lib/dom.js";
import { phaseWords } from "../lib/words.js";

const AROUND = "300px 0px"; // rows about to scroll into sight are read already

class Markets extends HTMLElement {
  /** Called again for a board that a filter has replaced. */
  connect({ venue }) {
    this.leave();
    this.venue = venue;
    this.rows = new Map([...this.querySelectorAll("tr[data-symbol]")].map((row) => [row.dataset.symbol, row]));
    this.read = new Map();
    // A socket carries a bounded number of subscriptions, and nobody reads what is out of sight.
    this.sight = new IntersectionObserver((entries) => entries.forEach((entry) => this.seen(entry)), { rootMargin: AROUND });
    for (const row of this.rows.values()) this.sight.observe(row);
  }

  disconnectedCallback() {
    this.leave();
  }

  leave() {
    this.sight?.disconnect();
    this.read?.forEach((stop) => stop());
    this.read?.clear();
  }

  seen({ target: row, isIntersecting }) {
    const { symbol } = row.dataset;
    if (isIntersecting && !this.read.has(symbol)) {
      const reader = { message: (message) => this.show(row, message.data) };
      this.read.set(symbol, this.venue.subscribe({ channel: "ticker", instrument: symbol }, reader));
    } else if (!isIntersecting && this.read.has(symbol)) {
      this.read.get(symbol)();
      this.read.delete(symbol);
    }
  }

  /** An instrument was listed, or its phase changed; true when it has a row here. */
  told(instrument) {
    const row = this.rows.get(instrument.symbol);
    if (!row) return false;
    this.set(row, "deliverable", grouped(instrument.deliverable_quantity));
    this.setPhase(row, instrument.phase);
    return true;
  }

  show(row, ticker) {
    this.set(row, "best_bid", ticker.best_bid, true);
    this.set(row, "best_ask", ticker.best_ask, true);
    this.set(row, "last_price", ticker.last_price, true);
    this.set(row, "volume", grouped(ticker.quantity_24h));
    this.setPhase(row, ticker.phase);
  }

  setPhase(row, phase) {
    for (const badge of row.querySelectorAll('[data-f="phase"]')) {
      setText(badge, phaseWords(phase));
      badge.className = `badge phase-${phase}`;
    }
  }

  set(row, name, value, flash = false) {
    const cell = row.querySelector(`[data-f="${name}"]`);
    const text = value ?? "–";
    if (cell.textContent === text) return;
    setText(cell, text);
    if (!flash) return;
    cell.classList.remove("moved");
    requestAnimationFrame(() => cell.classList.add("moved"));
  }
}

define("sx-markets", Markets);
