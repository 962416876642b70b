// What a request came to: the receipt's facts, the settlement's states, who was charged and paid.

import { grouped } from "../lib/decimal.js";
import { h } from "../lib/dom.js";
import { dayTime } from "../lib/time.js";
import { codeWords } from "../lib/words.js";
import { shortId } from "./preview.js";

const OUTCOMES = { full: "Full: done inside all bounds, and proven", fallback: "Fallback: done by a degradation that was allowed", partial: "Partial: what is proven is charged, no more", failed: "Failed: nothing is charged", expired: "Expired: not done in time, nothing is charged", cancelled: "Called off before it was used" };

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

function panel(title, hint, ...inside) {
  return h("section", { class: "panel", "aria-label": title }, h("header", {}, h("h2", {}, title), hint ? h("span", { class: "hint" }, hint) : null), h("div", { class: "inside" }, ...inside));
}

/** The panels there are by now. */
export function settled(receipt, settlement) {
  return [settlement ? settlementPanel(settlement) : null, receipt ? receiptPanel(receipt) : null].filter(Boolean);
}

function settlementPanel(settlement) {
  return panel(
    "Settlement",
    settlement.state.replaceAll("_", " "),
    h("p", {}, h("strong", {}, OUTCOMES[settlement.outcome] ?? "Not decided yet"), settlement.rule ? ` (${codeWords(settlement.rule)}).` : ""),
    h(
      "dl",
      { class: "facts-line" },
      fact("Units charged", `${grouped(settlement.units)} of ${grouped(settlement.reserved_units)} reserved`),
      settlement.window_ends_at ? fact("May be challenged until", `${dayTime(settlement.window_ends_at)} UTC`) : null,
      settlement.finalized_at ? fact("Final since", `${dayTime(settlement.finalized_at)} UTC`) : null,
      fact("Settlement", shortId(settlement.id)),
    ),
  );
}

function receiptPanel(receipt) {
  return panel("Receipt", `recorded ${dayTime(receipt.recorded_at)} UTC`, h("p", {}, codeWords(receipt.status), ", ", shortId(receipt.id), ", SHA-256 ", shortId(receipt.hash)));
}
