// What a policy would do, or did: each act with the rule behind it, and what was left alone.

import { grouped } from "../lib/decimal.js";
import { h } from "../lib/dom.js";
import { codeWords } from "../lib/words.js";
import { shortId } from "./preview.js";

function act(row) {
  const words = row.verb === "cancel" ? ["Take back ", row.order_id ? shortId(row.order_id) : "an order"] : [`${row.side === "buy" ? "Buy" : "Sell"} ${grouped(row.quantity)} at ${row.price} in `, h("a", { href: `/trade/${row.instrument}` }, row.instrument)];
  const became = row.outcome ? `; ${row.outcome}${row.order_status ? `, ${row.order_status.replaceAll("_", " ")}` : ""}${row.detail ? `: ${row.detail}` : ""}` : "";
  return h("li", {}, h("strong", {}, `${codeWords(row.rule)}: `), ...words, `. ${row.why}${became}`);
}

export function planOf(plan) {
  const passed = plan.passed.map((row) => h("li", {}, h("strong", {}, `${codeWords(row.rule)}: `), `${row.instrument}: ${row.why}`));
  return [
    plan.actions.length ? h("ul", { class: "lines" }, ...plan.actions.map(act)) : h("p", { class: "muted" }, "Nothing to be done now."),
    passed.length ? h("details", {}, h("summary", {}, `Left alone (${passed.length})`), h("ul", { class: "lines" }, ...passed)) : null,
  ].filter(Boolean);
}
