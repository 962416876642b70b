// Rights the issuer has issued, whoever holds them now: what remains, and the pause that is the issuer's own.

import { announce } from "../lib/announce.js";
import { get, post } from "../lib/api.js";
import { compact, grouped } from "../lib/decimal.js";
import { askFor } from "../lib/desk_ask.js";
import { looking, sending, showProblem, unreadable, valuesOf } from "../lib/desk_form.js";
import { put, Terms } from "../lib/desk_terms.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { windowText } from "../lib/time.js";
import { units } from "../lib/words.js";
import { Paged } from "./paged.js";
import { termsOf } from "./desk_post.js";
import { shortId } from "./preview.js";

function plain(status) {
  const text = status.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

class IssuedRights extends Paged {
  kind = "rights";
  caption = "Rights you have issued";
  heads = [["Right", ""], ["Window", "wide"], ["Remaining", "num wide"], ["Status", ""], ["Held by", "wide"], ["Market", "wide"], ["Action", "end"]];

  connect({ issuer, account }) {
    this.issuer = issuer;
    this.account = account;
    this.follow(new PagedList("/rights", { issuer, limit: 50 }));
  }

  choose(status) {
    this.restart({ issuer: this.issuer, status: status || null, limit: 50 });
  }

  nothing() {
    return this.list.params.status
      ? [`No ${plain(this.list.params.status).toLowerCase()} rights`, "Another status shows the rest."]
      : ["Nothing issued yet", "Post an assurance first, then issue a right under it."];
  }

  rowsOf(right) {
    const { unit } = right.resource;
    const [symbol] = right.instruments ?? [];
    const parent = right.parent_right_id ? h("span", { class: "under" }, "out of ", shortId(right.parent_right_id)) : null;
    const narrow = h("span", { class: "under narrow" }, `${windowText(right.window.start, right.window.end)}; ${compact(right.remaining_amount)} of ${compact(right.max_amount)} ${unit} remain`);
    return [
      h(
        "tr",
        { "data-right": right.id },
        h("th", { scope: "row" }, right.metadata?.label || plain(right.resource.type), h("span", { class: "under" }, right.class_key, " · ", shortId(right.id)), narrow, parent),
        h("td", { class: "wide" }, windowText(right.window.start, right.window.end)),
        h("td", { class: "num wide", title: `${grouped(right.remaining_amount)} of ${grouped(right.max_amount)} ${unit}` }, `${compact(right.remaining_amount)} ${units(right.remaining_amount, unit)}`, h("span", { class: "under" }, `of ${compact(right.max_amount)}`)),
        h("td", {}, h("span", { class: `badge status-${right.status}` }, plain(right.status)), right.freeze_reason ? h("span", { class: "under" }, plain(right.freeze_reason)) : null),
        h("td", { class: "wide" }, shortId(right.holder)),
        h("td", { class: "wide" }, symbol ? h("a", { href: `/trade/${symbol}`, "aria-label": `Trade ${symbol}` }, "Trade") : h("span", { class: "muted" }, "none")),
        h("td", { class: "end acts" }, ...this.actsOn(right)),
      ),
    ];
  }

  actsOn(right) {
    if (!this.hasAttribute("data-may-act")) return [];
    const button = (text, act, danger = "") => h("button", { class: `button small ${danger}`, type: "button", onclick: act }, text);
    if (right.status === "issued") return [button("Activate", () => this.activate(right)), button("Freeze", () => this.freeze(right), "danger")];
    if (right.status === "active") return [button("Freeze", () => this.freeze(right), "danger")];
    if (right.status === "frozen") return right.freeze_reason === "issuer_pause" ? [button("Unfreeze", () => this.unfreeze(right))] : [h("span", { class: "muted" }, "not yours to lift")];
    return [];
  }

  activate(right) {
    askFor({
      title: "Activate this right?",
      sentence: "It can be used and sold from then on, and its terms are fixed for good.",
      verb: "Activate it",
      send: (_, options) => post(`/rights/${right.id}/activate`, {}, options),
      done: () => this.told("The right is active"),
    });
  }

  freeze(right) {
    askFor({
      title: "Freeze this right?",
      sentence: "It never moves while it is frozen, and its resting asks are pulled. Its holder keeps it and reads your reason. You can lift your own pause.",
      fields: [{ name: "reason", label: "Reason, on the record for ever" }],
      verb: "Freeze it",
      danger: true,
      send: ({ reason }, options) => post(`/rights/${right.id}/freeze`, { freeze_reason: "issuer_pause", reason: reason ?? "" }, options),
      done: (answer) => this.told("The right is frozen", answer.orders_pulled ? `Resting asks being pulled: ${answer.orders_pulled}.` : ""),
    });
  }

  unfreeze(right) {
    askFor({
      title: "Lift your pause?",
      sentence: "The right goes back to what it was, or to what has come true meanwhile.",
      fields: [{ name: "reason", label: "Reason, on the record for ever" }],
      verb: "Unfreeze it",
      send: ({ reason }, options) => post(`/rights/${right.id}/unfreeze`, { reason: reason ?? "" }, options),
      done: () => this.told("The pause is lifted"),
    });
  }

  told(title, detail = "") {
    announce(title, detail);
    this.restart();
  }
}

define("sx-desk-rights", IssuedRights);

/** Let the dialog issue. The assurance chosen gives class and window, so that only what is the right's own is left to say. */
export function connectIssuing(form, desk, issued) {
  const terms = new Terms(form.querySelector("[data-terms]"), [...form.querySelectorAll("[name=terms-as]")]);
  const under = form.querySelector("[data-under]");
  const hint = form.querySelector("[data-under-hint]");
  let assurances = [];

  async function choose() {
    const row = assurances.find((one) => one.id === under.value);
    if (!row) return;
    hint.textContent = `${grouped(row.headroom_units)} ${row.unit} left to issue of ${row.class}, ${windowText(row.window.start, row.window.end)}.`;
    const assurance = { mode: row.mode, reference: row.reference, unit: row.unit, usable_basis: row.overbook_bps ? "oversubscribed" : "net-of-haircut" };
    terms.base.assurance = assurance;
    const found = await get(`/classes/${encodeURIComponent(row.class)}`).catch(() => null);
    if (found && under.value === row.id) terms.write({ ...terms.base, ...termsOf(found.dimensions), window: { start: row.window.start, end: row.window.end }, assurance });
  }

  function body() {
    const manifest = terms.read();
    manifest.version ??= "synthference/v0";
    if (terms.way === "form") {
      manifest.issuer = { ...manifest.issuer, issuer_type: desk.issuerType, id: desk.issuer, issuance_path: desk.path };
    }
    return { manifest, ...valuesOf(form) };
  }

  const call = (options) => {
    let said;
    try {
      said = body();
    } catch (error) {
      throw unreadable("manifest", error);
    }
    return post(options.look ? "/rights?validate_only=true" : "/rights", said, options.look ? {} : options);
  };
  form.addEventListener("unreadable", () => showProblem(form, unreadable("manifest", new SyntaxError("the form can't show it"))));
  under.addEventListener("change", choose);
  looking(form, async () => call({ look: true }), (would) =>
    h("p", { class: "notice info" }, h("span", {}, `It would be ${would.status}: ${grouped(would.max_amount)} ${would.resource.unit} of ${would.class_key}${would.instruments.length ? `, deliverable into ${would.instruments.join(", ")}` : ", for which there is no market yet"}.`)),
  );
  sending(form, async (options) => call(options), (right) => {
    announce("The right is issued", `${compact(right.max_amount)} ${right.resource.unit} of ${right.class_key}.`);
    issued(right);
  });

  async function opened(wanted = under.value) {
    const answer = await get("/assurances", { issuer: desk.issuer, status: "sound", limit: 200 }).catch(() => ({ data: [] }));
    assurances = answer.data;
    under.replaceChildren(h("option", { value: "" }, assurances.length ? "Choose one" : "None is sound: post one first"), ...assurances.map((row) => h("option", { value: row.id }, `${row.reference} (${row.class})`)));
    under.value = assurances.some((row) => row.id === wanted) ? wanted : "";
    await choose();
  }

  return { opened };
}
