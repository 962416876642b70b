// The line above the desk: what trades here, where it stands, and how long the gate stays open.

import { grouped } from "../lib/decimal.js";
import { expectedWords, rateText } from "../lib/delivery.js";
import { define, h, Part, setText } from "../lib/dom.js";
import { dayTime, relative } from "../lib/time.js";
import { venueNow } from "../lib/venue_time.js";
import { phaseWords, sheetWords } from "../lib/words.js";

class Headline extends Part {
  connect({ market }) {
    this.market = market;
    for (const name of ["book", "trades", "ticker", "instrument"]) market.addEventListener(name, () => this.changed());
    this.changed();
  }

  field(name) {
    return this.querySelector(`[data-f="${name}"]`);
  }

  show(name, value) {
    if (value !== null && value !== undefined) setText(this.field(name), value);
  }

  draw() {
    const { market } = this;
    const { ticker, instrument } = market;
    this.show("last_price", market.lastPrice);
    if (market.book.proven) {
      this.show("best_bid", market.bestBid ?? "–");
      this.show("best_ask", market.bestAsk ?? "–");
    }
    if (ticker?.quantity_24h) this.show("volume", grouped(ticker.quantity_24h));
    if (instrument) {
      this.show("deliverable", grouped(instrument.deliverable_quantity));
      const expected = this.field("expected");
      setText(expected, instrument.expected_delivery_sample ? `${rateText(instrument.expected_delivery_bps)} of ${instrument.expected_delivery_sample}` : "no record yet");
      expected.title = expectedWords(instrument);
      this.show("sheet", sheetWords(instrument.sheet));
      if (instrument.sheet) this.field("sheet").title = `SHA-256 ${instrument.sheet.hash}`;
    }
    const badge = this.field("phase");
    if (market.phase) {
      setText(badge, phaseWords(market.phase));
      badge.className = `badge phase-${market.phase}`;
    }
  }
}

/** What the phase means for somebody who wants to trade now, and why it is so. */
class Banner extends Part {
  connect({ market }) {
    this.market = market;
    market.addEventListener("instrument", () => this.changed());
    market.addEventListener("ticker", () => this.changed());
    setInterval(() => this.changed(), 10000);
    this.changed();
  }

  draw() {
    const [kind, title, text] = this.words() ?? [];
    if (!title) {
      if (this.firstChild) this.replaceChildren();
      this.dataset.said = "";
      return;
    }
    const said = `${title}${text}`;
    if (this.dataset.said === said) return;
    this.dataset.said = said;
    this.replaceChildren(h("p", { class: `notice ${kind}`, role: "status" }, h("strong", {}, title), h("span", {}, text)));
  }

  words() {
    const { market } = this;
    const { instrument } = market;
    if (!instrument) return market.failure ? ["error", "This market's rules could not be read.", market.failure.message] : null;
    const why = instrument.phase_reason ? ` Reason: ${instrument.phase_reason}.` : "";
    const gate = Date.parse(instrument.gate_closes_at) - venueNow();
    const words = {
      pre_open: ["info", "Pre-open.", this.preOpen(instrument) + why],
      halted: ["warning", "Trading is halted.", `You can cancel orders; new ones and changes are refused until trading resumes.${why}`],
      closed: ["info", "This market is closed.", `Its gate closed ${dayTime(instrument.gate_closes_at)} UTC: resting orders were cancelled, and what they held was released.`],
    }[market.phase];
    if (words) return words;
    if (market.postOnly) {
      const because = instrument.post_only_reason ? ` Reason: ${instrument.post_only_reason}.` : "";
      return ["warning", "This book takes only orders that rest.", `Orders that would trade at once are refused until what is disclosed here is fresh again.${because}`];
    }
    if (gate > 0 && gate < 15 * 60 * 1000) {
      return ["warning", "The gate closes soon.", "Orders still resting then are cancelled and what they hold is released."];
    }
    if (instrument.backing && instrument.backing !== "sound") {
      return ["warning", `Backing is ${instrument.backing}.`, "Part of the proven capacity behind these rights has weakened since they were issued."];
    }
    return null;
  }

  preOpen(instrument) {
    const opens = Date.parse(instrument.opens_at);
    const when = opens > venueNow() ? `Matching starts ${dayTime(opens)} UTC, ${relative(opens, venueNow())}.` : "Matching has not started yet.";
    return `Limit orders rest without trading. ${when}`;
  }
}

define("sx-headline", Headline);
define("sx-banner", Banner);
