// Disputes: the claim, what was brought forward, and for the reviewer the decision.

import { announce } from "../lib/announce.js";
import { post } from "../lib/api.js";
import { askFor } from "../lib/desk_ask.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { PagedCards } from "./paged.js";
import { shortId } from "./preview.js";

const MARKS = { open: "status-issued", rejected: "status-expired", upheld: "status-active", reclassified: "status-active" };
const STATES = { open: "Open", rejected: "Rejected", upheld: "Upheld", reclassified: "Reclassified" };
const REASON = { name: "reason", label: "Reason, on the record for ever", most: 2000 };

class Disputes extends PagedCards {
  wait = "Loading disputes";

  connect() {
    this.follow(new PagedList("/disputes", { limit: 50 }));
  }

  choose(state) {
    this.restart({ state: state || null, limit: 50 });
  }

  nothing() {
    return this.list.params.state ? ["None in this state", "Another state shows the rest."] : ["Nothing is in dispute", "A settlement can be challenged from its request's page while its window is open."];
  }

  card(row) {
    const evidence = row.evidence.map((one) => h("li", {}, one.text, h("span", { class: "under" }, `${dayTime(one.at)} UTC`)));
    return h(
      "li",
      { class: "card", id: row.id },
      h(
        "div",
        { class: "card-head" },
        h("h3", {}, "Of the settlement ", shortId(row.settlement_id)),
        h("span", { class: `badge ${MARKS[row.state] ?? ""}` }, STATES[row.state] ?? row.state),
        h("span", { class: "muted" }, `opened by the ${row.side}, ${dayTime(row.opened_at)} UTC; ${row.reviewer ? `${row.reviewer} decides` : "no reviewer yet"}`),
        h("span", { class: "card-acts" }, ...this.actsOn(row)),
      ),
      h("p", {}, row.claim),
      evidence.length ? h("ol", { class: "lines", "aria-label": "What was brought forward" }, ...evidence) : h("p", { class: "muted" }, "Nothing was brought forward yet."),
      row.decision ? h("p", { class: "notice info" }, h("span", {}, h("strong", {}, `Decided ${dayTime(row.decided_at)} UTC: `), row.decision)) : null,
    );
  }

  actsOn(row) {
    if (row.state !== "open") return [];
    const button = (text, act, kind = "") => h("button", { class: `button small ${kind}`, type: "button", onclick: act }, text);
    const acts = [button("Add evidence", () => this.ask(row, "evidence", "Bring something forward?", "All parties and the reviewer read it.", [{ name: "text", label: "What shows it", most: 4000 }], "Add it"))];
    if (!this.hasAttribute("data-may-decide")) return acts;
    if (!row.reviewer) acts.push(button("Assign", () => this.ask(row, "assign", "Who decides?", "A participant who is no party to the settlement.", [{ name: "reviewer", label: "Participant", value: this.dataset.me }], "Assign")));
    if (row.reviewer !== this.dataset.me) return acts;
    const decide = (decision, title, sentence, fields, verb, danger) => button(verb, () => this.ask(row, "decide", title, sentence, [...fields, REASON], verb, { decision }, danger), danger ? "danger" : "");
    return [
      ...acts,
      decide("reject", "Reject the challenge?", "The settlement stands as it was classified, and is final.", [], "Reject"),
      decide("uphold", "Uphold the challenge?", "What was charged goes back, as opposite postings; the settlement is final then.", [], "Uphold", true),
      decide("reclassify", "Reclassify?", "The settlement gets another outcome, as far as its proofs carry it, and is final.", [{ name: "outcome", label: "Outcome: full, fallback, partial, failed, expired, cancelled" }], "Reclassify", true),
    ];
  }

  ask(row, path, title, sentence, fields, verb, more = {}, danger = false) {
    askFor({
      title,
      sentence,
      fields,
      verb,
      danger,
      send: (values, options) => post(`/disputes/${row.id}/${path}`, { ...more, ...values }, options),
      done: () => {
        announce("Done", verb);
        this.restart();
      },
    });
  }
}

define("sx-disputes", Disputes);
