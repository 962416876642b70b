// The ticket: what somebody types becomes an order, is previewed by the venue as it is typed, and is placed once.

import { freshKey, post } from "../lib/api.js";
import { compact, compare, decimalsOf, grouped, scaled, stepped } from "../lib/decimal.js";
import { expectedWords, perExpected } from "../lib/delivery.js";
import { define, empty, h, loading, Part, setText } from "../lib/dom.js";
import { Freshest } from "../lib/freshest.js";
import { affordable, cleaned, mayPostOnly, notional, readOrder, shareOf, steppedLots, submitWords, unitsOf } from "../lib/order_fields.js";
import { placeOrder } from "../lib/placing.js";
import { venueNow } from "../lib/venue_time.js";
import { codeWords, lots, statusWords, units } from "../lib/words.js";
import { previewOf } from "./preview.js";
import { ticketForm } from "./ticket_form.js";

const PREVIEW_AFTER_MS = 220;
const PREVIEW_AGAIN_MS = 1500; // while the book or the reader's means move
const SIDE = { buy: "Buy", sell: "Sell" };

class Ticket extends Part {
  connect({ venue, market, own }) {
    Object.assign(this, { venue, market, own });
    if (!own) {
      this.replaceChildren(empty("Log in to trade", "The book, the tape and the charts are open to everybody.", this.logInLink()));
      return;
    }
    this.replaceChildren(loading("Loading the ticket"));
    this.previews = new Freshest((signal) => this.preview(signal), { soonMs: PREVIEW_AFTER_MS, againMs: PREVIEW_AGAIN_MS });
    market.addEventListener("ticker", () => this.changed());
    market.addEventListener("book", () => this.moved());
    document.addEventListener("visibilitychange", () => this.moved());
    for (const [of, what] of [[market, "instrument"], [own, "balances"], [own, "positions"]]) {
      of.addEventListener(what, () => {
        this.changed();
        this.moved();
      });
    }
    this.changed();
  }

  logInLink() {
    return h("a", { class: "button main", href: `/login?next=${encodeURIComponent(location.pathname)}` }, "Log in");
  }

  build() {
    this.e = ticketForm();
    this.touched = new Set();
    const { form } = this.e;
    setText(this.e.priceUnit, `(${this.market.instrument.currency})`);
    form.addEventListener("input", (event) => this.edited(event));
    form.addEventListener("submit", (event) => this.send(event));
    form.addEventListener("click", (event) => this.clicked(event));
    form.addEventListener("keydown", (event) => this.key(event));
    this.replaceChildren(form);
    this.prefill();
    this.render();
  }

  /** A price that makes sense to start from: the nearest of the other side, else the last, else the reference. */
  prefill() {
    const { market } = this;
    const price = market.bestAsk ?? market.lastPrice ?? market.instrument.reference_price ?? market.bestBid ?? "";
    if (!this.e.price.input.value && price) this.e.price.input.value = price;
    if (!this.e.quantity.input.value) this.e.quantity.input.value = market.instrument.min_quantity;
  }

  get form() {
    const { e } = this;
    const chosen = (group) => group.querySelector("input:checked").value;
    return {
      side: chosen(e.side),
      type: chosen(e.type),
      price: e.price.input.value,
      quantity: e.quantity.input.value,
      tif: e.tif.input.value,
      expires: e.expires.input.value,
      postOnly: e.postOnly.checked,
      slide: e.postAction.input.value === "slide",
      selfTrade: e.selfTrade.input.value,
    };
  }

  draw() {
    if (!this.market.instrument) return;
    if (!this.e) this.build();
    else this.render();
  }

  edited(event) {
    const { field } = event.target.dataset;
    if (field) this.touched.add(field);
    this.serverProblems = {};
    if (!this.sending) this.e.outcome.replaceChildren();
    this.render();
    this.previewSoon();
  }

  render() {
    const { e, form } = this;
    const { instrument } = this.market;
    const { order, problems } = readOrder(form, instrument, venueNow());
    const limit = form.type === "limit";
    e.price.element.hidden = !limit;
    e.expires.element.hidden = !limit || form.tif !== "gtd";
    e.tif.element.hidden = false;
    for (const option of e.tif.input.options) option.disabled = !limit && option.value.startsWith("gt");
    if (!limit && form.tif.startsWith("gt")) e.tif.input.value = "ioc";
    e.postOnly.disabled = !mayPostOnly(form);
    e.postAction.element.hidden = !(form.postOnly && mayPostOnly(form));
    this.explain(form, instrument);
    this.showProblems({ ...problems, ...this.serverProblems });
    this.label(form, { order, problems }, instrument);
    this.showAvailable(form, instrument);
    this.dataset.side = form.side;
    if (!this.asked) this.previewSoon();
  }

  explain(form, instrument) {
    const amount = unitsOf(form.quantity, instrument.lot_size);
    const value = form.type === "limit" ? notional(form.price, form.quantity) : null;
    const told = amount ? `= ${compact(amount)} ${units(amount, instrument.unit)}` : `1 lot is ${compact(instrument.lot_size)} ${units(instrument.lot_size, instrument.unit)}`;
    const parts = [told, value ? `${grouped(value)} ${instrument.currency}` : ""];
    if (form.side === "buy" && form.type === "limit") parts.push(this.expectedOf(form.price, instrument));
    setText(this.e.explain, parts.filter(Boolean).join(" · "));
    this.e.explain.title = amount ? `${grouped(amount)} ${instrument.unit}` : "";
  }

  /** What a lot costs by what may be expected of the issuers behind the asks. */
  expectedOf(price, instrument) {
    if (!instrument.expected_delivery_sample) return "delivery: no record yet";
    const expected = scaled(cleaned(price), decimalsOf(cleaned(price))) === null ? null : perExpected(cleaned(price), instrument.expected_delivery_bps);
    return expected ? `${expected} per expected lot (${expectedWords(instrument)})` : `expected delivery: ${expectedWords(instrument)}`;
  }

  showAvailable(form, instrument) {
    const { balance, position } = this.means(instrument);
    const paid = (instrument.proceeds_escrow ?? "none") === "none" ? "" : "; you are paid when they are final";
    const text = form.side === "buy" ? `${balance ? grouped(balance.available) : "–"} ${instrument.currency} available` : `${position ? grouped(position.available) : "0"} lots to sell${paid}`;
    setText(this.e.available, text);
  }

  means(instrument) {
    return { balance: this.own.balance(instrument.currency), position: this.own.position(instrument.symbol) };
  }

  label(form, { order, problems }, instrument) {
    const { submit } = this.e;
    const phase = this.market.phase;
    submit.className = `button wide go-${form.side}`;
    setText(submit, this.sending ? "Placing…" : submitWords(form, problems));
    submit.disabled = Boolean(this.sending) || phase === "halted" || phase === "closed";
    submit.title = submit.disabled && !this.sending ? `No orders are taken while the market is ${phase}.` : "";
    this.order = order;
    this.instrument = instrument;
  }

  /** Problems stand at their field; a field nobody has touched stays quiet until the order is sent. */
  showProblems(problems) {
    const rest = { ...problems };
    for (const [name, { input, error }] of Object.entries({
      price: this.e.price,
      quantity: this.e.quantity,
      time_in_force: this.e.tif,
      expire_time: this.e.expires,
      post_only_action: this.e.postAction,
      self_trade_prevention: this.e.selfTrade,
    })) {
      const text = this.touched.has(name) || this.serverProblems?.[name] ? (rest[name] ?? "") : "";
      delete rest[name];
      setText(error, text);
      error.hidden = !text;
      input.toggleAttribute("data-wrong", Boolean(text));
      if (text) {
        input.setAttribute("aria-invalid", "true");
        input.setAttribute("aria-errormessage", error.id);
      } else {
        input.removeAttribute("aria-invalid");
        input.removeAttribute("aria-errormessage");
      }
    }
    return rest;
  }

  /** The order is another one: what was asked before counts no more. */
  previewSoon() {
    this.asked = true;
    this.e.preview.setAttribute("aria-busy", "true");
    this.previews.changed();
  }

  /** What the order would meet is another: the preview is of now. */
  moved() {
    if (this.asked && !document.hidden) this.previews.moved();
  }

  async preview(signal) {
    const { order, instrument } = this;
    const { preview } = this.e;
    if (order) {
      try {
        const answer = await post("/orders/preview", order, { signal });
        if (!signal.aborted) this.previewed(answer, order, instrument);
      } catch (problem) {
        if (signal.aborted) return;
        this.serverProblems = byField(problem);
        this.showProblems(this.serverProblems);
        this.shown = null;
        preview.replaceChildren(h("p", { class: "bad" }, `No preview: ${problem.message}`));
      }
    } else {
      this.shown = null;
      preview.replaceChildren(h("p", { class: "hint" }, "The preview appears once price and quantity are complete."));
    }
    if (!signal.aborted) preview.removeAttribute("aria-busy");
  }

  /** An answer like the one that is shown changes nothing: what is unfolded or has the focus stays. */
  previewed(answer, order, instrument) {
    const whole = JSON.stringify([order, answer]);
    if (whole === this.shown) return;
    this.shown = whole;
    const { preview } = this.e;
    const before = [...preview.querySelectorAll("details")];
    const focused = before.find((details) => details.contains(document.activeElement));
    preview.replaceChildren(...previewOf(answer, order, instrument));
    for (const details of preview.querySelectorAll("details")) {
      const known = before.find(({ className }) => className === details.className);
      if (known) details.open ||= known.open;
      if (focused?.className === details.className) details.querySelector("summary").focus();
    }
  }

  async send(event) {
    event.preventDefault();
    if (this.sending) return;
    ["price", "quantity", "expire_time"].forEach((name) => this.touched.add(name));
    this.render();
    if (!this.order) {
      this.querySelector("[data-wrong]")?.focus();
      return;
    }
    const order = { ...this.order, client_order_id: freshKey() };
    this.sending = true;
    this.render();
    this.say("", h("p", {}, "Waiting for the venue…"));
    try {
      const answer = await placeOrder(this.venue, order, {
        unsure: () => this.say("warn", h("p", {}, "The answer was lost on the way. Asking the venue what became of the order…")),
      });
      this.own.takeOrder({ ...order, price: order.price ?? null, ...answer });
      this.placed(answer, order);
    } catch (problem) {
      this.refused(problem);
    }
    this.sending = false;
    this.render();
    this.previewSoon();
  }

  placed(answer, order) {
    if (answer.status === "rejected") {
      this.refused({ message: codeWords(answer.reason ?? "rejected"), code: answer.reason });
      return;
    }
    const [title, ...more] = outcomeWords(answer, order);
    this.say(answer.status === "cancelled" || answer.status === "expired" ? "warn" : "good", h("p", {}, [title, ...more].join(" ")));
  }

  refused(problem) {
    this.serverProblems = byField(problem);
    const rest = this.showProblems(this.serverProblems);
    const more = Object.values(rest).map((text) => h("p", {}, text));
    this.say("bad", h("p", {}, h("strong", {}, problem.code === "outcome_unknown" ? "Outcome unknown. " : "Not placed. "), refusalWords(problem)), ...more);
    this.querySelector("[data-wrong]")?.focus();
  }

  say(kind, ...content) {
    this.e.outcome.className = `outcome ${kind}`;
    this.e.outcome.replaceChildren(...content);
  }

  clicked(event) {
    const { step, for: what, share } = event.target.dataset;
    if (step) this.step(what, Number(step));
    if (share) this.takeShare(Number(share));
  }

  key(event) {
    const what = { price: "price", quantity: "quantity" }[event.target.dataset?.field];
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (what && direction) {
      event.preventDefault();
      this.step(what, direction * (event.shiftKey ? 10 : 1));
    }
  }

  step(what, count) {
    const { instrument } = this.market;
    const { input } = this.e[what];
    if (what === "price") {
      const now = cleaned(input.value);
      const decimals = (instrument.tick_size.split(".")[1] ?? "").length;
      const valid = /^\d+(\.\d+)?$/.test(now);
      input.value = valid ? stepped(now, instrument.tick_size, count, decimals) : instrument.tick_size;
    } else {
      input.value = steppedLots(/^[\d,\s]*$/.test(input.value) ? input.value : "0", count);
    }
    this.touched.add(what);
    this.edited({ target: input });
  }

  takeShare(percent) {
    const { instrument } = this.market;
    const { balance, position } = this.means(instrument);
    const form = this.form;
    const price = form.type === "limit" ? cleaned(form.price) : form.side === "buy" ? instrument.collar.high : "";
    let most = form.side === "sell" ? BigInt(position?.available ?? "0") : affordable(balance?.available ?? "0", price, this.feeBps(instrument));
    const limit = BigInt(instrument.max_quantity);
    if (most > limit) most = limit;
    this.e.quantity.input.value = shareOf(most, percent).toString();
    this.edited({ target: this.e.quantity.input });
  }

  feeBps(instrument) {
    return Math.max(instrument.fees?.maker_bps ?? 0, instrument.fees?.taker_bps ?? 0);
  }

  /** Take a price from the ladder. */
  pick(price) {
    if (!this.e) return;
    const limit = this.e.type.querySelector("input[value=limit]");
    if (!limit.checked) limit.checked = true;
    if (this.e.tif.input.value === "ioc" && !this.touched.has("time_in_force")) this.e.tif.input.value = "gtg";
    this.e.price.input.value = price;
    this.edited({ target: this.e.price.input });
  }

  choose(side) {
    const input = this.e?.side.querySelector(`input[value=${side}]`);
    if (!input) return;
    input.checked = true;
    this.edited({ target: input });
  }

  focusOn(what) {
    this.e?.[what].input.focus();
    this.e?.[what].input.select();
  }
}

function byField(problem) {
  return Object.fromEntries((problem.fieldErrors ?? []).map((entry) => [entry.field, sentence(entry.detail)]));
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}

/** What became of an order, in sentences: first what it is now, then what it traded and why it ended. */
function outcomeWords(answer, order) {
  const traded = compare(answer.filled_quantity ?? "0", "0") > 0;
  const said = [`${SIDE[order.side]} order ${statusWords(answer.status).toLowerCase()}.`];
  if (traded) said.push(`${lots(grouped(answer.filled_quantity))} traded at ${answer.average_price} on average, fee ${answer.fee_total}.`);
  if (answer.reason === "ioc_remainder") said.push(traded ? "There was nothing more to trade against." : "There was nothing to trade against.");
  else if (answer.reason) said.push(sentence(codeWords(answer.reason)));
  return said;
}

function refusalWords(problem) {
  return problem.code === "validation_failed" ? "Look at the marked fields." : sentence(problem.message);
}

define("sx-ticket", Ticket);
