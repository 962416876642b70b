// What became of requests against an issuer's rights, by class and by window; what was disputed, what is frozen, and what it stands on.

import { get } from "../lib/api.js";
import { compact, grouped } from "../lib/decimal.js";
import { expectedWords, rateText } from "../lib/delivery.js";
import { define, empty, failed, h, loading, Part } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime, windowText } from "../lib/time.js";
import { Paged } from "./paged.js";

const OUTCOMES = { full: "Whole", fallback: "Degraded", partial: "In part", failed: "Failed", expired: "Too late", cancelled: "Called off" };
const DISPUTES = { open: "open now", upheld: "upheld", rejected: "rejected", reclassified: "reclassified" };
const MARKS = { sound: "status-active", degraded: "status-frozen", stale: "status-expired" };

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

/** A class, leading to its markets. */
const market = (key) => h("a", { href: `/?class=${encodeURIComponent(key)}` }, key);

/** A count with its rate and how low that may really be. */
function outcome(row, name) {
  const count = row.counts[name];
  const rate = count ? h("span", { class: "under" }, `${rateText(row.rates_bps[name])}, at least ${rateText(row.rates_lower_bps[name])}`) : null;
  return h("td", { class: "num" }, grouped(String(count)), rate);
}

function line(row, ...names) {
  const lower = row.expected_delivery_sample ? h("span", { class: "under" }, `of ${row.expected_delivery_sample}, at least ${rateText(row.expected_delivery_lower_bps)}`) : null;
  return h(
    "tr",
    {},
    ...names,
    h("td", { class: "num" }, rateText(row.expected_delivery_bps), lower),
    h("td", { class: "num" }, grouped(String(row.sample_size))),
    ...Object.keys(OUTCOMES).map((name) => outcome(row, name)),
    h("td", { class: "num", title: `${grouped(row.used_units)} of ${grouped(row.reserved_units)}` }, compact(row.used_units), h("span", { class: "under" }, `of ${compact(row.reserved_units)} reserved`)),
  );
}

function table(caption, names, rows) {
  const heads = [...names.map((name) => [name, ""]), ...["Expected delivery", "Requests", ...Object.values(OUTCOMES), "Units"].map((name) => [name, "num"])];
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "group", "aria-label": caption },
    h(
      "table",
      { class: "table record" },
      h("caption", { class: "sr-only" }, caption),
      h("thead", {}, h("tr", {}, ...heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))),
      h("tbody", {}, ...rows),
    ),
  );
}

function panel(id, title, ...inside) {
  return h("section", { class: "panel", "aria-labelledby": id }, h("header", {}, h("h2", { id }, title)), ...inside);
}

class Scorecard extends Part {
  connect() {
    this.load();
  }

  async load() {
    this.replaceChildren(loading("Loading the record"));
    try {
      this.show(await get(`/issuers/${encodeURIComponent(this.dataset.issuer)}/outcomes`));
    } catch (problem) {
      this.replaceChildren(failed(problem, () => this.load()));
    }
  }

  show(told) {
    this.replaceChildren(panel("whole-title", "All in all", this.whole(told)), panel("classes-title", "By class", this.classes(told)), panel("windows-title", "By window, the latest first", this.windows(told)));
  }

  whole(told) {
    const { disputes, frozen_rights: frozen } = told;
    const states = Object.entries(DISPUTES).filter(([state]) => disputes[state]);
    const reasons = Object.entries(frozen.reasons).map(([reason, count]) => `${count} ${reason.replaceAll("_", " ")}`);
    return h(
      "div",
      { class: "inside" },
      h(
        "dl",
        { class: "facts-line" },
        fact("Requests that count", grouped(String(told.sample_size))),
        fact("Expected delivery", expectedWords(told)),
        fact("Whole", told.sample_size ? `${rateText(told.rates_bps.full)}, at least ${rateText(told.rates_lower_bps.full)}` : "–"),
        fact("Disputes", disputes.opened ? `${disputes.opened}: ${states.map(([state, words]) => `${disputes[state]} ${words}`).join(", ")}` : "none"),
        fact("Rights frozen now", frozen.count ? `${frozen.count}: ${reasons.join(", ")}` : "none"),
      ),
    );
  }

  classes(told) {
    if (!told.classes.length) return empty("No record yet", "Requests count once they were executed, or ran out of time, and their settlement is final.");
    const rows = told.classes.map((row) => line(row, h("th", { scope: "row" }, market(row.class))));
    return table("Outcomes by class", ["Class"], rows);
  }

  windows(told) {
    if (!told.windows.length) return empty("No window yet", "Each window with a final settlement has a line of its own here.");
    const rows = told.windows.map((row) => line(row, h("th", { scope: "row" }, windowText(row.window.start, row.window.end)), h("td", {}, market(row.class))));
    return table("Outcomes by window", ["Window", "Class"], rows);
  }
}

/** The assurances behind its rights, each with its state. */
class Standing extends Paged {
  wait = "Loading assurances";
  kind = "record";
  caption = "Assurances, by class and window";
  heads = [["Assurance", ""], ["Class", ""], ["Window", ""], ["State", ""], ["Usable", "num"], ["Issued", "num"], ["Looked at", ""]];

  connect() {
    this.follow(new PagedList("/assurances", { issuer: this.dataset.issuer, limit: 20 }));
  }

  nothing() {
    return ["No assurance", "Without one, nothing can be issued."];
  }

  whole(rows) {
    const place = (row) => `${row.class} ${row.window.start}`;
    const box = super.whole(rows.toSorted((one, other) => (place(one) < place(other) ? -1 : 1)));
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", this.caption);
    return box;
  }

  rowsOf(row) {
    const share = (units) => h("td", { class: "num", title: grouped(units) }, compact(units));
    return [
      h(
        "tr",
        {},
        h("th", { scope: "row" }, row.reference),
        h("td", {}, market(row.class)),
        h("td", {}, windowText(row.window.start, row.window.end)),
        h("td", {}, h("span", { class: `badge ${MARKS[row.status] ?? ""}` }, row.status)),
        share(row.usable_units),
        share(row.issued_units),
        h("td", {}, `${dayTime(row.refreshed_at)} UTC`),
      ),
    ];
  }
}

define("sx-scorecard", Scorecard);
define("sx-standing", Standing);
