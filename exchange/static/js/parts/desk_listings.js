// Requests for markets: how far each is, what was decided and why, and what would be disclosed to buyers.

import { announce } from "../lib/announce.js";
import { post } from "../lib/api.js";
import { grouped } from "../lib/decimal.js";
import { askFor } from "../lib/desk_ask.js";
import { looking, sending, valuesOf } from "../lib/desk_form.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime, windowText } from "../lib/time.js";
import { PagedCards } from "./paged.js";
import { shortId } from "./preview.js";

const STATES = {
  submitted: ["Waiting for a review", "status-issued"],
  reviewed: ["Reviewed, waiting for a second operator", "status-issued"],
  approved: ["Listed", "status-active"],
  rejected: ["Refused", "status-expired"],
  withdrawn: ["Taken back", "status-expired"],
};

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

// What a transfer policy says when it keeps nobody out.
const FREE = { transferable: true, splittable: true, delegable: true, min_transfer_units: "1" };

/** What a transfer policy forbids or asks for, in words; what binds nobody is left out. */
function bindingRules(policy) {
  const binds = ([name, value]) => (name in FREE ? value !== FREE[name] : value && value !== "any" && !(Array.isArray(value) && !value.length));
  const words = Object.entries(policy).filter(binds).map(([name, value]) => {
    const rule = name.replaceAll("_", " ");
    return value === true ? rule : value === false ? `not ${rule}` : `${rule} ${value}`;
  });
  return words.join(", ") || "may change hands freely";
}

/** A disclosure sheet as a buyer would read it; all of it, word by word, below. */
export function sheetOf(sheet) {
  const backing = sheet.assurances.map((row) => h("li", {}, h("strong", {}, row.reference), ` of ${row.issuer}: ${row.mode}, ${grouped(row.usable_units)} usable of ${grouped(row.gross_units)}, ${grouped(row.issued_units)} issued, ${row.status}; if it falls short, ${row.degradation_plan}`));
  const terms = sheet.terms.map((row) => h("li", {}, shortId(row.terms_hash), ` ${grouped(row.units)} ${sheet.class.unit} by ${row.issuer}: `, bindingRules(row.transfer_policy)));
  return h(
    "section",
    { class: "sheet", "aria-label": "Disclosure sheet" },
    h("h3", {}, "Disclosure sheet"),
    h(
      "dl",
      { class: "facts-line" },
      fact("Class", sheet.class.key),
      fact("Lot", `${grouped(sheet.class.lot_size)} ${sheet.class.unit}`),
      fact("Window", windowText(sheet.window.start, sheet.window.end)),
      fact("Delivery", sheet.delivery.rule),
      fact("Gate closes", dayTime(sheet.trading.gate_closes_at)),
      fact("Fees", `${sheet.trading.fees.maker_bps} / ${sheet.trading.fees.taker_bps} bps`),
    ),
    h("h4", {}, "What stands behind it"),
    backing.length ? h("ul", { class: "lines" }, ...backing) : h("p", { class: "muted" }, "Nothing issued stands on an assurance here."),
    sheet.strictest_policy ? h("h4", {}, "What a buyer of any of them has to satisfy") : null,
    sheet.strictest_policy ? h("p", {}, bindingRules(sheet.strictest_policy)) : null,
    sheet.outcomes ? h("p", { class: "muted" }, `So far ${grouped(sheet.outcomes.consumed)} ${sheet.class.unit} were used, ${grouped(sheet.outcomes.expired)} expired, ${grouped(sheet.outcomes.burned)} were burned.`) : null,
    h("h4", {}, "Terms in circulation"),
    terms.length ? h("ul", { class: "lines" }, ...terms) : h("p", { class: "muted" }, "None."),
    h("details", {}, h("summary", {}, "Word by word"), h("pre", { tabIndex: 0, "aria-label": "Disclosure sheet as JSON" }, JSON.stringify(sheet, null, 2))),
  );
}

class Listings extends PagedCards {
  wait = "Loading requests";

  connect({ issuer }) {
    this.follow(new PagedList("/listings", { issuer, limit: 50 }));
  }

  nothing() {
    return ["No request yet", "Rights trade where a market takes their class and window. Issue some, then ask for one."];
  }

  card(row) {
    const [words, mark] = STATES[row.state] ?? [row.state, ""];
    const open = row.state === "submitted" || row.state === "reviewed";
    const step = (name, moment) => h("li", { class: moment ? "done" : "" }, name, moment ? h("span", { class: "muted" }, ` ${dayTime(moment)}`) : h("span", { class: "sr-only" }, " not yet"));
    const ended = { approved: "Approved", rejected: "Refused", withdrawn: "Taken back" }[row.state] ?? "Approved";
    const mayAct = this.hasAttribute("data-may-act");
    return h(
      "li",
      { class: "card", "data-listing": row.id },
      h(
        "div",
        { class: "card-head" },
        h("h3", {}, row.class),
        h("span", { class: `badge ${mark}` }, words),
        h("span", { class: "muted" }, windowText(row.window.start, row.window.end)),
        h(
          "span",
          { class: "card-acts" },
          open && mayAct ? h("button", { class: "button small danger", type: "button", onclick: () => this.withdraw(row) }, "Take it back") : null,
          row.instrument ? h("a", { class: "button small", href: `/trade/${row.instrument}` }, `Trade ${row.instrument}`) : null,
        ),
      ),
      h("ol", { class: "steps", "aria-label": "How far it is" }, step("Asked", row.requested_at), step("Reviewed", row.reviewed_at), step(ended, row.decided_at)),
      row.decision_note ? h("p", { class: `notice ${row.state === "rejected" ? "error" : "info"}` }, h("span", {}, h("strong", {}, row.state === "rejected" ? "Why it was refused: " : "The operators say: "), row.decision_note)) : null,
      h(
        "dl",
        { class: "facts-line" },
        fact("To trade now", `${grouped(row.deliverable_quantity)} lots`),
        fact("May still be issued", `${grouped(row.headroom_quantity)} lots`),
        fact("Tick", `${row.tick_size} ${row.currency}`),
        fact("Prices", `${row.collar.low} to ${row.collar.high}`),
        fact("Fees", `${row.fees.maker_bps} / ${row.fees.taker_bps} bps`),
        fact("Per order", `${grouped(row.min_quantity)} to ${grouped(row.max_quantity)} lots`),
        fact("Delivery", row.delivery_rule),
        fact("Proceeds wait", row.proceeds_escrow),
        ...(row.note ? [fact("You said", row.note)] : []),
      ),
      h("details", { class: "sheet-of" }, h("summary", {}, row.state === "submitted" ? "The sheet as you asked with it" : "The sheet as it was reviewed"), sheetOf(row.sheet)),
    );
  }

  withdraw(row) {
    askFor({
      title: `Take back the request for ${row.class}?`,
      sentence: "The operators look at it no longer. You can ask again.",
      verb: "Take it back",
      danger: true,
      send: (_, options) => post(`/listings/${row.id}/withdraw`, {}, options),
      done: () => {
        announce("The request is taken back");
        this.restart();
      },
    });
  }
}

define("sx-desk-listings", Listings);

const COUNTS = { "fees.maker_bps": "count", "fees.taker_bps": "count" };

/** Let the dialog ask for a market, and show its sheet before. */
export function connectListing(form, desk, requested) {
  const body = () => {
    const { class: series, ...said } = valuesOf(form, COUNTS);
    return { issuer: desk.issuer, ...said, ...(series ? JSON.parse(series) : {}) };
  };
  looking(form, () => post("/listings?validate_only=true", body()), (would) => [
    h("p", { class: "notice info" }, h("span", {}, `${grouped(would.deliverable_quantity)} lots could be traded now, ${grouped(would.headroom_quantity)} more may be issued. This is what buyers would be told:`)),
    sheetOf(would.sheet),
  ]);
  sending(form, (options) => post("/listings", body(), options), (answer) => {
    announce("The request is with the operators", answer.class);
    form.querySelector("[data-at=class] option:checked")?.remove();
    requested(answer);
  });
}
