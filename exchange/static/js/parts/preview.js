// What the venue says an order would do, before it is placed: cost, hold, rights, and every gate's verdict in words.

import { compare, grouped } from "../lib/decimal.js";
import { expectedWords } from "../lib/delivery.js";
import { h } from "../lib/dom.js";
import { codeWords, lots, units } from "../lib/words.js";

function line(name, value, title = "") {
  return value ? h("div", { title: title || null }, h("dt", {}, name), h("dd", {}, value)) : null;
}

const EXPECTED = "The price over what may be expected to be delivered of a lot";
const money = (amount, currency) => `${grouped(amount)} ${currency}`;
const some = (amount) => amount !== null && amount !== undefined && compare(amount, "0") > 0;

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** Short enough to read, long enough to tell apart; the whole id is in the title. */
export function shortId(id) {
  return h("code", { title: id }, `${id.slice(0, 4)}…${id.slice(-8)}`);
}

/** To what became of requests against an issuer's rights. */
export function issuerLink(slug) {
  return h("a", { href: `/issuers/${encodeURIComponent(slug)}` }, slug);
}

/** Verdicts on several rights told once per rule: [{code, passed, detail, rights}], refusals first. */
export function byRule(verdicts) {
  const rules = new Map();
  for (const { code, passed, detail, right_id: right } of verdicts) {
    const key = `${code}|${passed}|${detail}`;
    const rule = rules.get(key) ?? { code, passed, detail, rights: [] };
    if (right) rule.rights.push(right);
    rules.set(key, rule);
  }
  return [...rules.values()].sort((a, b) => Number(a.passed) - Number(b.passed));
}

function gate({ code, passed, detail, rights }) {
  const named = !passed && rights.length ? [" ", ...rights.slice(0, 3).flatMap((id) => [shortId(id), " "])] : [];
  return h(
    "li",
    { class: passed ? "good" : "bad" },
    h("span", { class: "mark", "aria-hidden": "true" }, passed ? "✓" : "✕"),
    h("span", { class: "words" }, h("span", { class: "sr-only" }, passed ? "Passed: " : "Refused: "), capital(detail || codeWords(code)), ...named),
  );
}

/** Every gate's verdict, folded away while all pass. */
export function gatesOf(verdicts) {
  if (!verdicts?.length) return null;
  const rules = byRule(verdicts);
  const refused = rules.filter((rule) => !rule.passed).length;
  const title = refused ? `${refused} transfer ${refused === 1 ? "gate refuses" : "gates refuse"}` : `All ${rules.length} transfer gates pass`;
  return h(
    "details",
    { class: "gates", open: refused > 0 },
    h("summary", { class: refused ? "bad" : "good" }, h("span", { "aria-hidden": "true" }, refused ? "✕ " : "✓ "), title),
    h("ul", {}, ...rules.map(gate)),
  );
}

function deliveries(rights, side, unit) {
  if (!rights?.length) return null;
  const count = `${rights.length} ${rights.length === 1 ? "right" : "rights"}`;
  return h(
    "details",
    { class: "deliveries" },
    h("summary", {}, side === "buy" ? `Delivered now from ${count}` : `Delivered from ${count} of yours`),
    h("ul", {}, ...rights.map((right) => h("li", {}, shortId(right.right_id), h("span", {}, " ", right.issuer_id ? issuerLink(right.issuer_id) : ""), h("span", { class: "num" }, `${grouped(right.units)} ${units(right.units, unit)}`)))),
  );
}

function sums(answer, order, unit) {
  const { fee, hold } = answer;
  return h(
    "dl",
    { class: "sums" },
    line("Trades now", some(answer.would_fill) ? `${lots(grouped(answer.would_fill))} for ${money(answer.notional, fee.currency)}` : "nothing"),
    line("Worst price", answer.worst_price),
    order.side === "buy" ? line("Per expected lot", answer.price_per_expected_lot ? `${answer.price_per_expected_lot} ${fee.currency}` : "", EXPECTED) : null,
    order.side === "buy" ? line("Expected delivery", expectedWords(answer), "Of the issuers of what would be delivered") : null,
    line("Rests in the book", some(answer.would_rest) ? lots(grouped(answer.would_rest)) : ""),
    line("Fee now", money(fee.taker, fee.currency)),
    line("Fee if the rest trades", some(fee.maker_if_filled_later) ? money(fee.maker_if_filled_later, fee.currency) : ""),
    order.side === "buy"
      ? line("Held from your cash", money(hold.cash, hold.currency), "The most this order can cost with its fee; what is not used is released")
      : line("Reserved from your rights", `${grouped(hold.units)} ${units(hold.units, unit)}`, "Released when the order is cancelled or the gate closes"),
  );
}

/** The preview's elements. `answer` is POST /orders/preview's, `order` what was asked, `instrument` the market's rules. */
export function previewOf(answer, order, instrument) {
  const refusal = answer.accepted === false ? codeWords(answer.reason) : "";
  return [
    refusal ? h("p", { class: "refusal bad" }, h("span", { "aria-hidden": "true" }, "✕ "), `Would be refused: ${refusal}.`) : null,
    sums(answer, order, instrument.unit),
    answer.self_cross ? h("p", { class: "warn" }, "⚠ It meets an order of your own participant; self-trade prevention decides which one goes.") : null,
    deliveries(answer.rights, order.side, instrument.unit),
    gatesOf(answer.gates),
  ].filter(Boolean);
}
