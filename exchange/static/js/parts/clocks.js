// Moments that pass: the venue's clock, and countdowns to its gates. One timer drives them all.

import { define, setText } from "../lib/dom.js";
import { clockTime, dayTime, relative, span } from "../lib/time.js";
import { venueNow } from "../lib/venue_time.js";

const ticking = new Set();
setInterval(() => ticking.forEach((element) => element.tick()), 1000);

class Ticking extends HTMLElement {
  connectedCallback() {
    ticking.add(this);
    this.tick();
  }

  disconnectedCallback() {
    ticking.delete(this);
  }
}

class Clock extends Ticking {
  tick() {
    setText(this, `${clockTime(venueNow())} UTC`);
  }
}

/** `<sx-countdown to="2026-12-01T00:00:00Z">`: "in 3 h 07 m"; the moment itself is in the title. */
class Countdown extends Ticking {
  static observedAttributes = ["to"];

  attributeChangedCallback() {
    this.tick();
  }

  tick() {
    const to = this.getAttribute("to");
    if (!to) return;
    const left = Date.parse(to) - venueNow();
    setText(this, left > 0 ? `in ${span(left)}` : relative(to, venueNow()));
    this.title = `${dayTime(to, venueNow())} UTC`;
    this.toggleAttribute("data-near", left > 0 && left < 15 * 60 * 1000);
  }
}

/** `<sx-tense at="2026-12-01T00:00:00Z" past="Window opened">Window opens</sx-tense>`: the words turn when the moment has come. */
class Tense extends Ticking {
  tick() {
    if (Date.parse(this.getAttribute("at")) <= venueNow()) setText(this, this.getAttribute("past"));
  }
}

define("sx-clock", Clock);
define("sx-countdown", Countdown);
define("sx-tense", Tense);
