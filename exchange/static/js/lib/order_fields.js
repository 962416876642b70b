// From what somebody typed in the ticket to an order of the wire, or to what is wrong with it. Exact, and pure.

import { add, compare, fixed, grouped, multiply, onTick, scaled, wholeTimes } from "./decimal.js";

const WHOLE = /^[1-9]\d{0,17}$/;
const DECIMAL = /^(?:0|[1-9]\d{0,14})(?:\.\d{1,18})?$/;
const LOCAL = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?$/;
const BPS = 10000n;

/** Typed text without the spaces and separators people put in. */
export function cleaned(text) {
  return text.trim().replace(/[,\u202f\u00a0 ]/g, "");
}

function quantityProblem(quantity, instrument) {
  if (!quantity) return "Enter how many lots.";
  if (!WHOLE.test(quantity)) return "Whole lots only, 1 or more.";
  if (compare(quantity, instrument.min_quantity) < 0) return `At least ${instrument.min_quantity} lots.`;
  if (compare(quantity, instrument.max_quantity) > 0) return `At most ${instrument.max_quantity} lots in one order.`;
  return "";
}

function priceProblem(price, instrument) {
  if (!price) return "Enter a price per lot.";
  if (!DECIMAL.test(price) || compare(price, "0") <= 0) return "A price such as " + instrument.tick_size + " or more.";
  if (!onTick(price, instrument.tick_size)) return `A multiple of the tick, ${instrument.tick_size}.`;
  if (instrument.collar && compare(price, instrument.collar.low) < 0) return `Not below the collar, ${instrument.collar.low}.`;
  if (instrument.collar && compare(price, instrument.collar.high) > 0) return `Not above the collar, ${instrument.collar.high}.`;
  return "";
}

function expiryProblem(text, instrument, now) {
  if (!LOCAL.test(text)) return "Enter a day and time, UTC.";
  const moment = Date.parse(`${text}Z`);
  if (moment <= now) return "That time has passed.";
  if (instrument.gate_closes_at && moment > Date.parse(instrument.gate_closes_at)) return "The gate closes before that.";
  return "";
}

/**
 * `form`: {side, type, quantity, price, tif, expires, postOnly, slide, selfTrade}. Returns {order, problems}; `order` is null
 * while `problems` (by wire field) is not empty.
 */
export function readOrder(form, instrument, now) {
  const problems = {};
  const quantity = cleaned(form.quantity);
  const price = cleaned(form.price);
  const order = { instrument: instrument.symbol, side: form.side, type: form.type, quantity };
  const note = (field, problem) => {
    if (problem) problems[field] = problem;
  };
  note("quantity", quantityProblem(quantity, instrument));
  if (form.type === "limit") {
    note("price", priceProblem(price, instrument));
    order.price = price;
  }
  order.time_in_force = form.type === "market" && form.tif !== "fok" ? "ioc" : form.tif;
  if (order.time_in_force === "gtd") {
    note("expire_time", expiryProblem(form.expires, instrument, now));
    order.expire_time = `${form.expires.length === 16 ? `${form.expires}:00` : form.expires}.000000Z`;
  }
  if (form.postOnly && mayPostOnly(form)) {
    order.post_only = true;
    if (form.slide) order.post_only_action = "slide";
  }
  if (form.selfTrade && form.selfTrade !== "cancel_newest") order.self_trade_prevention = form.selfTrade;
  return { order: Object.keys(problems).length ? null : order, problems };
}

/** Post-only makes sense only for an order that may rest. */
export function mayPostOnly(form) {
  return form.type === "limit" && (form.tif === "gtg" || form.tif === "gtd");
}

/** What the button that sends it says: only what is good of it. `problems` as of `readOrder`. */
export function submitWords(form, problems) {
  const verb = form.side === "buy" ? "Buy" : "Sell";
  if (problems.quantity) return verb;
  const quantity = cleaned(form.quantity);
  const what = `${verb} ${grouped(quantity)} ${quantity === "1" ? "lot" : "lots"}`;
  if (form.type === "market") return `${what} at market`;
  return problems.price ? what : `${what} at ${cleaned(form.price)}`;
}

/** price × quantity, exact, or null while either is not there. */
export function notional(price, quantity) {
  const p = cleaned(price);
  const q = cleaned(quantity);
  return DECIMAL.test(p) && WHOLE.test(q) ? multiply(p, q) : null;
}

/** The most lots that `available` cash pays for at `price` with a fee of `feeBps`, as a BigInt. */
export function affordable(available, price, feeBps) {
  if (!DECIMAL.test(price) || compare(price, "0") <= 0) return 0n;
  const perLot = multiply(price, fixed(BPS + BigInt(feeBps), 0));
  return wholeTimes(multiply(available, "10000"), perLot);
}

/** A share (in per cent) of `most` lots, whole and at least 1 where there is any. */
export function shareOf(most, percent) {
  const share = (most * BigInt(percent)) / 100n;
  return most > 0n && share === 0n ? 1n : share;
}

/** Units behind a number of lots, or null. */
export function unitsOf(quantity, lotSize) {
  const q = cleaned(quantity);
  return WHOLE.test(q) ? multiply(q, lotSize) : null;
}

/** Add to a typed whole number, never below 1. */
export function steppedLots(text, by) {
  const now = scaled(cleaned(text) || "0", 0) ?? 0n;
  const next = scaled(add(now.toString(), String(by)), 0);
  return (next < 1n ? 1n : next).toString();
}
