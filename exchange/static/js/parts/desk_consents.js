// The consent inbox: what is asked, by whom, until when; granted for one transfer or left to stand, refused with a reason, taken back.

import { announce } from "../lib/announce.js";
import { post, put } from "../lib/api.js";
import { grouped } from "../lib/decimal.js";
import { askFor } from "../lib/desk_ask.js";
import { sending, valuesOf } from "../lib/desk_form.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime, relative } from "../lib/time.js";
import { venueNow } from "../lib/venue_time.js";
import { Paged } from "./paged.js";
import { shortId } from "./preview.js";

const MARKS = { pending: "status-issued", granted: "status-active", denied: "status-expired", revoked: "status-expired", expired: "status-expired", used: "status-finalized" };
const STATES = { pending: "Waiting", granted: "Granted", denied: "Refused", revoked: "Taken back", expired: "Run out", used: "Used" };

function who(name, id) {
  return id ? h("span", {}, name ? `${name} ` : "", shortId(id)) : "everybody";
}

function about(row) {
  if (row.right_id) return [`${grouped(row.units)} units of `, shortId(row.right_id)];
  if (row.root_right_id) return ["all that came of ", shortId(row.root_right_id)];
  if (row.terms_hash) return ["rights under ", shortId(row.terms_hash)];
  return ["all your rights that ask for it"];
}

class Consents extends Paged {
  kind = "rights consents";
  caption = "Consents you are asked for or have given";
  heads = [["What", ""], ["From", "wide"], ["To", "wide"], ["State", ""], ["Due, or until", "wide"], ["Action", "end"]];

  connect({ issuer }) {
    this.issuer = issuer;
    this.follow(new PagedList("/consents", this.wanted("pending")));
  }

  wanted(state) {
    return { issuer: this.issuer, kind: "consent", state: state || null, limit: 50 };
  }

  choose(state) {
    this.restart(this.wanted(state));
  }

  nothing() {
    return this.list.params.state === "pending"
      ? ["Nobody waits for your word", "Holders of rights whose terms ask for your consent ask here."]
      : ["None of these", "Another state shows the rest."];
  }

  rowsOf(row) {
    const due = row.deadline_at ? [relative(row.deadline_at, venueNow()), h("span", { class: "under" }, `${dayTime(row.deadline_at)} UTC`)] : ["no deadline"];
    const until = row.expires_at ? `until ${dayTime(row.expires_at)} UTC` : "until taken back";
    const from = () => (row.giver ? who(row.giver_name, row.giver) : "any holder");
    const when = () => (row.state === "pending" ? due : row.state === "granted" ? [until] : [row.decided_at ? dayTime(row.decided_at) : "–"]);
    const scope = { transfer: "For one transfer", counterparty: "For one counterparty", standing: "Standing" }[row.scope];
    return [
      h(
        "tr",
        { "data-consent": row.id },
        h("th", { scope: "row" }, scope, h("span", { class: "under" }, ...about(row)), row.note ? h("span", { class: "under" }, `“${row.note}”`) : null, h("span", { class: "under narrow" }, "from ", from(), " to ", who(row.taker_name, row.taker)), row.state === "pending" && row.deadline_at ? h("span", { class: "under narrow" }, `answer due ${relative(row.deadline_at, venueNow())}`) : null),
        h("td", { class: "wide" }, from()),
        h("td", { class: "wide" }, who(row.taker_name, row.taker)),
        h("td", {}, h("span", { class: `badge ${MARKS[row.state]}` }, STATES[row.state]), row.answer_note ? h("span", { class: "under" }, row.answer_note) : null),
        h("td", { class: "wide" }, ...when()),
        h("td", { class: "end acts" }, ...this.actsOn(row)),
      ),
    ];
  }

  actsOn(row) {
    if (!this.hasAttribute("data-may-act")) return [];
    const button = (text, act, kind = "") => h("button", { class: `button small ${kind}`, type: "button", onclick: act }, text);
    if (row.state === "pending") return [button("Grant", () => this.grant(row)), button("Refuse", () => this.refuse(row), "danger")];
    if (row.state === "granted") return [button("Take back", () => this.revoke(row), "danger")];
    return [];
  }

  grant(row) {
    askFor({
      title: "Grant this transfer?",
      sentence: `Once, at most ${grouped(row.units)} units, to the counterparty named, and only if every other rule lets it pass.`,
      fields: [
        { name: "expires_at", label: "Until, UTC", kind: "moment", hint: "Within 366 days; left empty, until it is used or taken back." },
        { name: "note", label: "A word to whoever asked" },
      ],
      verb: "Grant it",
      send: (values, options) => post(`/consents/${row.id}/approve`, values, options),
      done: () => this.told("Granted"),
    });
  }

  refuse(row) {
    askFor({
      title: "Refuse this transfer?",
      sentence: "Whoever asked reads your reason.",
      fields: [{ name: "reason", label: "Reason, on the record for ever" }],
      verb: "Refuse it",
      danger: true,
      send: ({ reason }, options) => post(`/consents/${row.id}/deny`, { reason: reason ?? "" }, options),
      done: () => this.told("Refused"),
    });
  }

  revoke(row) {
    askFor({
      title: "Take back this consent?",
      sentence: "From now on nothing moves by it. What has moved stays where it is.",
      fields: [{ name: "reason", label: "Reason, on the record for ever" }],
      verb: "Take it back",
      danger: true,
      send: ({ reason }, options) => post(`/consents/${row.id}/revoke`, { reason: reason ?? "" }, options),
      done: () => this.told("Taken back"),
    });
  }

  told(title) {
    announce(title);
    this.restart();
  }
}

define("sx-desk-consents", Consents);

/** Let the dialog make a consent stand. */
export function connectStanding(form, desk, stands) {
  sending(form, (options) => put("/standing-consents", { issuer_id: desk.issuer, ...valuesOf(form) }, options), (answer) => {
    announce("The consent stands", answer.taker ? "For one counterparty." : "For everybody.");
    stands(answer);
  });
}
