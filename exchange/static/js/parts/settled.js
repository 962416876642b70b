// What a request came to: the receipt's facts and proofs, what was charged, who was paid, and the challenge of it.

import { announce } from "../lib/announce.js";
import { post } from "../lib/api.js";
import { grouped } from "../lib/decimal.js";
import { askFor } from "../lib/desk_ask.js";
import { h } from "../lib/dom.js";
import { dayTime } from "../lib/time.js";
import { codeWords, faultWords } from "../lib/words.js";
import { shortId } from "./preview.js";

const OUTCOMES = {
  full: "Full: done inside all bounds, and proven.",
  fallback: "Fallback: done by a degradation that was allowed.",
  partial: "Partial: what is proven is charged, no more.",
  failed: "Failed: nothing is charged.",
  expired: "Expired: not done in time; nothing is charged.",
  cancelled: "Called off before it was used.",
};
const STATES = {
  unsettled: "not settled yet",
  pending_proof: "waits for proofs",
  pending_dispute_window: "may still be challenged",
  in_dispute: "challenged",
  reversed: "reversed",
  finalized: "final",
};

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

export function panel(title, hint, ...inside) {
  return h("section", { class: "panel", "aria-label": title }, h("header", {}, h("h2", {}, title), hint ? h("span", { class: "hint" }, hint) : null), h("div", { class: "inside" }, ...inside));
}

/** The panels there are by now; `again` is called when something was changed. */
export function settled(receipt, settlement, again) {
  return [settlement ? settlementPanel(settlement, again) : null, receipt ? receiptPanel(receipt) : null].filter(Boolean);
}

function moment(at) {
  return `${dayTime(at)} UTC`;
}

function settlementPanel(row, again) {
  const money = (amount) => `${amount} ${row.currency}`;
  const paid = row.payments.map((leg) => h("li", {}, `${money(leg.amount)} to the ${leg.to}${leg.supplier ? `, ${leg.supplier}` : ""}`));
  const remains = row.rights.map((right) => h("li", {}, h("a", { href: `/rights/${right.right_id}` }, shortId(right.right_id)), `: ${grouped(right.remaining_units)} units remain, ${right.is_usable ? "and it can still be used" : `it can't be used any more (${codeWords(right.status).toLowerCase()})`}`));
  return panel(
    "Settlement",
    STATES[row.state] ?? codeWords(row.state),
    h("p", {}, h("strong", {}, OUTCOMES[row.outcome] ?? "Nothing is decided yet."), row.rule ? ` Rule: ${row.rule.replaceAll("_", " ")}.` : ""),
    row.missing.length ? h("p", { class: "notice warning" }, h("span", {}, `Proofs that are still missing: ${row.missing.join(", ")}${row.proof_due_at ? `; due ${moment(row.proof_due_at)}` : ""}.`)) : null,
    h(
      "dl",
      { class: "facts-line" },
      fact("Charged", `${grouped(row.units)} of ${grouped(row.reserved_units)} units reserved`),
      fact("Set aside by the issuer", money(row.escrow)),
      fact("To the supplier", money(row.payout)),
      fact("To the holder", money(row.compensation)),
      fact("Back to the issuer", money(row.release)),
      row.window_ends_at ? fact("May be challenged until", moment(row.window_ends_at)) : null,
      row.finalized_at ? fact("Final since", moment(row.finalized_at)) : null,
    ),
    paid.length ? h("ul", { class: "lines" }, ...paid) : null,
    remains.length ? h("ul", { class: "lines" }, ...remains) : null,
    row.dispute_ids.length ? h("p", {}, "Challenged: ", ...row.dispute_ids.map((id) => h("a", { href: `/use/disputes#${id}` }, shortId(id)))) : null,
    row.state === "pending_dispute_window" ? h("div", { class: "actions-line" }, h("button", { class: "button", type: "button", onclick: () => challenge(row, again) }, "Challenge it")) : null,
  );
}

function challenge(row, again) {
  askFor({
    title: "Challenge this settlement?",
    sentence: "Its money stays set aside until a reviewer who is no party to it has decided. Say what is wrong and what shows it.",
    fields: [
      { name: "claim", label: "What is wrong", most: 2000 },
      { name: "evidence", label: "What shows it", most: 4000 },
    ],
    verb: "Challenge it",
    send: ({ claim, evidence }, options) => post(`/settlements/${row.id}/disputes`, { claim: claim ?? "", ...(evidence ? { evidence } : {}) }, options),
    done: () => {
      announce("The settlement is challenged");
      again();
    },
  });
}

function receiptPanel(row) {
  const legs = row.legs.map((leg) =>
    h(
      "li",
      {},
      h("strong", {}, leg.supplier),
      ` (${leg.region}): ${grouped(leg.delivered_units)} units${leg.latency_us === null ? "" : ` in ${grouped((BigInt(leg.latency_us) / 1000n).toString())} ms`}`,
      leg.tier ? `, out of the ${leg.tier}` : leg.branch ? `, out of the branch ${leg.branch}` : "",
      leg.fallbacks.length ? `, by ${leg.fallbacks.map(codeWords).join(", ")}` : "",
      leg.error ? h("span", { class: "bad" }, `; ${faultWords(leg.error)}`) : "",
    ),
  );
  const proofs = row.proofs.map((proof) => h("tr", {}, h("th", { scope: "row" }, codeWords(proof.type.replaceAll("-", "_"))), h("td", {}, proof.producer), h("td", { class: "num" }, proof.units === null ? "–" : grouped(proof.units)), h("td", {}, shortId(proof.content_hash)), h("td", {}, proof.is_valid ? "holds" : h("span", { class: "bad" }, "does not hold"))));
  const heads = [["Proof", ""], ["By", ""], ["Units", "num"], ["SHA-256", ""], ["Check", ""]];
  return panel(
    "Receipt",
    `recorded ${moment(row.recorded_at)}`,
    h("p", {}, codeWords(row.status), ", ", shortId(row.id), ", SHA-256 ", shortId(row.hash)),
    h("ul", { class: "lines" }, ...legs),
    h(
      "div",
      { class: "scroll" },
      h("table", { class: "table" }, h("caption", { class: "sr-only" }, "Proofs"), h("thead", {}, h("tr", {}, ...heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))), h("tbody", {}, ...proofs)),
    ),
    h("details", {}, h("summary", {}, "Word by word"), h("pre", { tabIndex: 0, "aria-label": "The receipt's text" }, row.body)),
  );
}
