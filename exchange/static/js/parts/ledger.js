// The account's ledger: each posting once, with its direction in a sign and a word.

import { grouped } from "../lib/decimal.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { clockTime, dayTime } from "../lib/time.js";
import { Paged } from "./paged.js";
import { shortId } from "./preview.js";

const KINDS = { cash: "Payment", fee: "Fee", funding: "Funding", deposit: "Deposit", withdrawal: "Withdrawal", units: "Delivery", delivery: "Delivery", issue: "Issue", issuance: "Issue", expiry: "Expiry" };

class Ledger extends Paged {
  kind = "ledger";
  caption = "Postings of your account";
  heads = [["Time, UTC", ""], ["Kind", ""], ["Asset", ""], ["Amount", "num"], ["Entry", "wide"]];

  connect() {
    this.follow(new PagedList("/ledger", { limit: 50 }));
  }

  nothing() {
    return ["No postings yet", "Deposits, trades and fees appear here."];
  }

  rowsOf(line) {
    const incoming = line.direction === "in";
    const units = line.asset_kind === "units";
    return [
      h(
        "tr",
        {},
        h("td", { class: "nowrap" }, dayTime(line.at), h("span", { class: "muted" }, `:${clockTime(line.at).slice(-2)}`)),
        h("td", {}, KINDS[line.kind] ?? line.kind),
        h("td", {}, units ? ["Units of ", shortId(line.asset.replace(/^U:/, ""))] : line.asset),
        h("td", { class: `num ${incoming ? "good" : ""}` }, h("span", { class: "sr-only" }, incoming ? "in " : "out "), `${incoming ? "+" : "−"}${grouped(line.amount)}`),
        h("td", { class: "wide" }, shortId(line.entry_id)),
      ),
    ];
  }
}

define("sx-ledger", Ledger);
