// The board, kept up by the tickers. The server drew the rows; this only changes what moved.

import { grouped } from "../lib/decimal.js";
import { define, setText } from "../lib/dom.js";
import { phaseWords } from "../lib/words.js";

class Markets extends HTMLElement {
  /** Called again for a board that a filter has replaced. */
  connect({ venue }) {
    this.leave?.forEach((stop) => stop());
    this.leave = [...this.querySelectorAll("tr[data-symbol]")].map((row) =>
      venue.subscribe({ channel: "ticker", instrument: row.dataset.symbol }, { message: (message) => this.show(row, message.data) }),
    );
  }

  disconnectedCallback() {
    this.leave?.forEach((stop) => stop());
    this.leave = [];
  }

  show(row, ticker) {
    this.set(row, "best_bid", ticker.best_bid, true);
    this.set(row, "best_ask", ticker.best_ask, true);
    this.set(row, "last_price", ticker.last_price, true);
    if (ticker.quantity_24h) this.set(row, "volume", grouped(ticker.quantity_24h));
    if (!ticker.phase) return;
    for (const badge of row.querySelectorAll('[data-f="phase"]')) {
      setText(badge, phaseWords(ticker.phase));
      badge.className = `badge phase-${ticker.phase}`;
    }
  }

  set(row, name, value, flash = false) {
    if (value === undefined) return;
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
