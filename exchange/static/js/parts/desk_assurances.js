// What the issuer stands on: each assurance as a gauge with its words, how fresh it is, whether it has drifted and what follows from that.

import { announce } from "../lib/announce.js";
import { patch } from "../lib/api.js";
import { compact, fixed, grouped } from "../lib/decimal.js";
import { askFor } from "../lib/desk_ask.js";
import { digits } from "../lib/desk_terms.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime, span, windowText } from "../lib/time.js";
import { venueNow } from "../lib/venue_time.js";
import { units } from "../lib/words.js";
import { PagedCards } from "./paged.js";

const MARKS = { sound: "status-active", degraded: "status-frozen", stale: "status-expired" };
const PLANS = {
  "pause-issuance": "nothing more is issued until it is sound again",
  "freeze-unsold": "rights still in your hands are frozen, and their asks pulled",
  "halt-books": "the markets it backs are halted",
};

/** For drawing only: a share of a whole, 0 to 1. */
function share(amount, whole) {
  if (BigInt(whole) === 0n) return 0;
  return Math.min(1, Number((BigInt(amount) * 10000n) / BigInt(whole)) / 10000);
}

/** "22.2 %", exact to a tenth and beyond a hundred where more stands issued than may. */
function percent(amount, whole) {
  if (BigInt(whole) === 0n) return BigInt(amount) === 0n ? "0\u202f%" : "nothing may be";
  return `${fixed((BigInt(amount) * 1000n) / BigInt(whole), 1).replace(/\.0$/, "")}\u202f%`;
}

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

/** The bar: issued, usable, and what the haircut keeps back. The words beside it say the same. */
function gauge(row) {
  const most = [row.gross_units, row.issuable_units, row.issued_units].map(BigInt).reduce((a, b) => (a > b ? a : b)).toString();
  const bar = h("span", { class: "gauge-bar", "aria-hidden": "true" }, h("i", { class: "usable" }), h("i", { class: "issued" }), h("i", { class: "end" }));
  bar.style.setProperty("--usable", share(row.usable_units, most));
  bar.style.setProperty("--issued", share(row.issued_units, most));
  bar.style.setProperty("--end", share(row.issuable_units, most));
  if (BigInt(row.issued_units) > BigInt(row.issuable_units)) bar.classList.add("over");
  const { unit } = row;
  return h(
    "div",
    { class: "gauge" },
    bar,
    h(
      "p",
      {},
      h("strong", {}, grouped(row.issued_units)),
      ` of ${grouped(row.issuable_units)} ${units(row.issuable_units, unit)} issued (${percent(row.issued_units, row.issuable_units)}); `,
      h("strong", {}, grouped(row.headroom_units)),
      " left to issue",
    ),
  );
}

function freshness(row) {
  const now = venueNow();
  const began = Date.parse(row.refreshed_at);
  const due = Date.parse(row.refresh_due_at);
  const bar = h("span", { class: "gauge-bar fresh", "aria-hidden": "true" }, h("i", { class: "issued" }));
  bar.style.setProperty("--issued", Math.max(0, Math.min(1, (now - began) / (due - began))));
  const words = now < due ? `Looked at ${span(now - began)} ago, due again in ${span(due - now)}` : `Due since ${dayTime(due)}: nothing is issued before you have looked again`;
  return h("div", { class: "gauge" }, bar, h("p", {}, words));
}

function drift(row) {
  if (row.status !== "degraded") return null;
  const missing = BigInt(row.issued_units) - BigInt(row.issuable_units);
  const { rights_frozen: frozen, books_halted: halted } = row.plan_done;
  const done = [frozen ? `${frozen} ${frozen === 1 ? "right is" : "rights are"} frozen` : "", ...halted.map((symbol) => `${symbol} is halted`)].filter(Boolean);
  return h(
    "div",
    { class: "notice warning" },
    h(
      "p",
      {},
      h("strong", {}, `Degraded since ${dayTime(row.degraded_at)}. `),
      missing > 0n ? `${grouped(missing.toString())} ${units(missing.toString(), row.unit)} more stand issued than it carries. ` : "",
      `Its plan, ${row.degradation_plan}: ${PLANS[row.degradation_plan] ?? row.degradation_plan}. `,
      done.length ? `Done so far: ${done.join(", ")}.` : "So far there was nothing to be done.",
    ),
  );
}

class Assurances extends PagedCards {
  wait = "Loading assurances";

  connect({ issuer }) {
    this.issuer = issuer;
    this.follow(new PagedList("/assurances", { issuer, limit: 50 }));
  }

  nothing() {
    return ["No assurance yet", "Rights are issued under an assurance: it pledges capacity for one class and window. Post one to begin."];
  }

  card(row) {
    const sources = row.sources.length
      ? `${row.sources.length} ${row.sources.length === 1 ? "source" : "sources"}, ${compact(row.sources.reduce((sum, one) => sum + BigInt(one.units), 0n).toString())} ${row.unit}`
      : "none: an operator answers for it";
    const overbook = row.overbook_bps ? [fact("Overbooked", `${row.overbook_bps} bps: ${row.justification ?? ""}`)] : [];
    const mayAct = this.hasAttribute("data-may-act");
    const own = row.sources.length > 0;
    return h(
      "li",
      { class: "card", "data-reference": row.reference },
      h(
        "div",
        { class: "card-head" },
        h("h3", {}, row.reference),
        h("span", { class: `badge ${MARKS[row.status] ?? ""}` }, row.status),
        h("span", { class: "muted" }, `${row.class} · ${windowText(row.window.start, row.window.end)}`),
        h("span", { class: "card-acts" },
          h("button", { class: "button small", type: "button", disabled: !mayAct || !own, title: own ? null : "Only an operator refreshes one without sources", onclick: () => this.refresh(row) }, "Refresh"),
          row.status === "sound" ? h("a", { class: "button small", href: `/desk/issued?issuer=${encodeURIComponent(this.issuer)}&under=${row.id}` }, "Issue under it") : null,
        ),
      ),
      drift(row),
      h("div", { class: "gauges" }, gauge(row), freshness(row)),
      h(
        "dl",
        { class: "facts-line" },
        fact("Gross", `${grouped(row.gross_units)} ${units(row.gross_units, row.unit)}`),
        fact("Haircut", `${row.haircut_bps} bps`),
        fact("Usable", grouped(row.usable_units)),
        ...overbook,
        fact("Mode", row.mode),
        fact("Behind it", sources),
        fact("If it falls short", row.degradation_plan),
        fact("Revision", String(row.revision)),
      ),
    );
  }

  refresh(row) {
    askFor({
      title: `Refresh ${row.reference}`,
      sentence: "You have looked at the capacity again. Left empty, the numbers stay as they are. Less than what stands issued degrades it, and its plan is followed; nothing issued changes.",
      fields: [
        { name: "gross_units", label: "Gross units, if they have changed", numeric: true, hint: `Now ${grouped(row.gross_units)}.` },
        { name: "haircut_bps", label: "Haircut in bps, if it has changed", numeric: true, hint: `Now ${row.haircut_bps}.` },
        { name: "note", label: "What you looked at" },
      ],
      verb: "Refresh it",
      send: ({ gross_units: gross, haircut_bps: haircut, note }, options) => patch(`/assurances/${row.id}`, { ...(gross ? { gross_units: gross } : {}), ...(haircut ? { haircut_bps: /^\d+$/.test(haircut) ? Number(digits(haircut)) : haircut } : {}), ...(note ? { note } : {}) }, options),
      done: (answer) => {
        announce(`${answer.reference} is ${answer.status}`, `${compact(answer.headroom_units)} ${answer.unit} left to issue.`);
        this.restart();
      },
    });
  }
}

define("sx-desk-assurances", Assurances);
