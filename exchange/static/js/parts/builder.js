// The package builder: units out of the reader's rights, checked as they are typed, composed by one call. With `data-package` it
// begins with what that package is, and changes it.

import { get } from "../lib/api.js";
import { grouped } from "../lib/decimal.js";
import { define, empty, failed, h, loading, setText } from "../lib/dom.js";
import { listOf, placeFaults, sayNote } from "../lib/form_body.js";
import { asIfOut, drawn, freeUnits, loosened, partFaults, partNotes, sumsOf } from "../lib/package_rules.js";
import { PagedList } from "../lib/pages_of.js";
import { windowText } from "../lib/time.js";
import { units } from "../lib/words.js";
import { Act } from "./act.js";
import { shortId } from "./preview.js";

const WAIT_MS = 150;
const READ = {
  not: (control) => (control.checked ? false : null),
  yes: (control) => (control.checked ? true : null),
  count: (control) => (/^(0|[1-9][0-9]{0,9})$/.test(control.value.trim()) ? Number(control.value) : control.value.trim() || null),
  units: (control) => control.value.trim() || null,
  moment: (control) => (control.value ? `${control.value}${control.value.length === 16 ? ":00" : ""}Z` : null),
  list: (control) => (control.value.trim() ? listOf(control.value) : null),
};
// The other way round: what a control shows of a rule.
const SHOWN = {
  not: (value) => ({ checked: value === false }),
  yes: (value) => ({ checked: value === true }),
  moment: (value) => ({ value: value.replace(/(:00)?Z$/, "") }),
  list: (value) => ({ value: value.join(", ") }),
};

class Builder extends Act {
  connectedCallback() {
    super.connectedCallback();
    this.table = this.querySelector("[data-rights]");
    this.rows = new Map(); // right's id → {right, row, units, tier, branch}
    this.list = new PagedList("/rights", { holder: "me", status: "active", limit: 25 });
    this.list.addEventListener("change", () => this.shown());
    this.table.replaceChildren(loading("Loading your rights"));
    this.form.addEventListener("input", () => this.later());
    this.form.addEventListener("change", () => this.later());
    this.begin();
  }

  /** What the package has comes first; else a right that the address names, whatever the list's first page holds. */
  async begin() {
    if (this.dataset.package) {
      await this.recall();
      return;
    }
    const wanted = new URLSearchParams(location.search).get("right");
    if (/^rgt_[0-9a-f-]{36}$/.test(wanted ?? "")) {
      try {
        this.add(await get(`/rights/${wanted}`));
      } catch {
        // It is not the reader's any more: the list shows what is.
      }
    }
    this.list.load();
  }

  /** The package as it is, in the form. */
  async recall() {
    this.rows.clear();
    try {
      this.former = await get(`/packages/${this.dataset.package}`);
      const rights = await Promise.all(this.former.parts.map((part) => get(`/rights/${part.right_id}`)));
      this.former.parts.forEach((part, place) => {
        const entry = this.add(asIfOut(rights[place], part.units), true);
        entry.units.value = part.units;
        entry.tier.value = part.tier ?? "baseline";
        entry.branch.value = part.branch ?? "";
      });
    } catch (problem) {
      this.table.replaceChildren(failed(problem, () => this.recall()));
      return;
    }
    this.form.elements.label.value = this.former.label;
    for (const control of this.form.querySelectorAll("[data-policy]")) {
      const value = this.former.policy[control.dataset.policy];
      if (value === undefined || value === null) continue;
      Object.assign(control, SHOWN[control.dataset.kind]?.(value) ?? { value: String(value) });
    }
    this.list.load();
  }

  get kind() {
    return this.form.elements.type.value;
  }

  shown() {
    const { list } = this;
    if (!list.rows) {
      if (list.failure) this.table.replaceChildren(failed(list.failure, () => this.list.load()));
      return;
    }
    for (const right of list.rows) this.add(right);
    if (!this.rows.size) {
      this.table.replaceChildren(empty("Nothing is free", "Units in asks, in other packages or of rights that are not active can't go into a package."));
      return;
    }
    const heads = [["Right", ""], ["Window", "wide"], ["Free", "num"], ["Into the package", ""]];
    this.tbody ??= h("tbody");
    this.tbody.append(...[...this.rows.values()].map((entry) => entry.row));
    const table = h("table", { class: "table choose" }, h("caption", { class: "sr-only" }, "Rights of yours with free units"), h("thead", {}, h("tr", {}, ...heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))), this.tbody);
    const more = list.more ? h("div", { class: "more-line" }, h("button", { class: "button", type: "button", onclick: () => list.load() }, "Show more")) : "";
    this.table.replaceChildren(h("div", { class: "scroll" }, table), more);
    this.check();
  }

  /** `inside`: a right that is in the package already may be in any state. */
  add(right, inside = false) {
    const free = freeUnits(right);
    if (this.rows.has(right.id) || free === "0" || !(inside || ["issued", "active"].includes(right.status))) return null;
    const name = right.metadata?.label || right.class_key;
    const input = (label, extra) => h("input", { type: "text", autocomplete: "off", "aria-label": `${label} of ${name}, ${right.id.slice(-17)}`, ...extra });
    const entry = {
      right,
      units: input("Units", { inputmode: "numeric", placeholder: "units", id: `u-${right.id}` }),
      tier: h("select", { id: `t-${right.id}`, "aria-label": `Layer of ${name}, ${right.id.slice(-17)}` }, h("option", { value: "baseline" }, "Baseline"), h("option", { value: "overflow" }, "Overflow")),
      branch: input("Branch", { placeholder: "branch", maxlength: "40", id: `b-${right.id}` }),
    };
    const all = h("button", { class: "button small", type: "button", "aria-label": `All free units of ${name}, ${right.id.slice(-17)}`, onclick: () => this.fill(entry, free) }, "All");
    entry.row = h(
      "tr",
      {},
      h("th", { scope: "row" }, h("a", { href: `/rights/${right.id}` }, name), h("span", { class: "under" }, right.class_key, " · ", shortId(right.id))),
      h("td", { class: "wide" }, windowText(right.window.start, right.window.end)),
      h("td", { class: "num" }, grouped(free), h("span", { class: "under" }, right.resource.unit)),
      h("td", {}, h("div", { class: "field" }, h("div", { class: "choose-units" }, entry.units, all), h("div", { class: "for-tranche" }, entry.tier), h("div", { class: "for-strategy" }, entry.branch))),
    );
    this.rows.set(right.id, entry);
    return entry;
  }

  fill(entry, free) {
    entry.units.value = free;
    this.check();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), WAIT_MS);
  }

  /** The parts as they are chosen, in the order they are drawn from. */
  parts() {
    const chosen = [...this.rows.values()].filter((entry) => entry.units.value.trim());
    const { kind } = this;
    const part = (entry) => ({ entry, right: entry.right, units: entry.units.value.trim(), tier: kind === "tranche" ? entry.tier.value : "", branch: kind === "strategy" ? entry.branch.value.trim() : "" });
    return drawn(kind, chosen.map(part));
  }

  /** What stands in the form, and what a changed package has that no field here shows. */
  policy() {
    const shown = new Set([...this.form.querySelectorAll("[data-policy]")].map((control) => control.dataset.policy));
    const policy = Object.fromEntries(Object.entries(this.former?.policy ?? {}).filter(([name]) => !shown.has(name)));
    for (const control of this.form.querySelectorAll("[data-policy]")) {
      const value = READ[control.dataset.kind](control);
      if (value !== null) policy[control.dataset.policy] = value;
    }
    return policy;
  }

  /** Sums, and what is wrong so far, without moving the reader's focus. */
  check() {
    this.dataset.kind = this.kind;
    const parts = this.parts();
    const sums = sumsOf(parts).map(([unit, sum]) => `${grouped(sum)} ${units(sum, unit)}`);
    setText(this.querySelector("[data-sums]"), parts.length ? `${parts.length} ${parts.length === 1 ? "right" : "rights"}: ${sums.join(", ") || "no units yet"}` : "Nothing chosen yet");
    const focused = document.activeElement;
    this.clear();
    const faults = this.faults(parts).filter((fault) => fault.field !== "parts" || parts.length);
    placeFaults(faults, (field) => this.control(field, parts));
    for (const { place, detail } of partNotes(parts)) sayNote(parts[place].entry.units, detail);
    if (focused !== document.activeElement) focused?.focus();
  }

  faults(parts) {
    const components = parts.map((part) => part.right);
    return [...partFaults(this.kind, parts), ...this.numbers(), ...loosened(this.valid(this.policy()), components)];
  }

  /** Counts that are none. */
  numbers() {
    return [...this.form.querySelectorAll("[data-kind=count], [data-kind=units]")]
      .filter((control) => control.value.trim() && !/^(0|[1-9][0-9]{0,18})$/.test(control.value.trim()))
      .map((control) => ({ field: `policy.${control.dataset.policy}`, detail: "a whole number" }));
  }

  /** The fields that can be compared. */
  valid(policy) {
    const wrong = new Set(this.numbers().map((fault) => fault.field));
    return Object.fromEntries(Object.entries(policy).filter(([name]) => !wrong.has(`policy.${name}`)));
  }

  control(field, parts = this.sent ?? []) {
    const [head, place, name] = field.split(".");
    if (head === "policy") return this.form.querySelector(`[data-policy="${place}"]`);
    if (head !== "parts") return this.form.elements[field] ?? null;
    const entry = parts[Number(place)]?.entry;
    return entry ? (entry[name] ?? entry.units) : null;
  }

  async body() {
    clearTimeout(this.timer); // a check still to come would take the faults named now off again
    this.sent = this.parts();
    const { label } = this.form.elements;
    const faults = this.faults(this.sent);
    if (!label.value.trim()) faults.unshift({ field: "label", detail: "name it" });
    if (faults.length) {
      const homeless = placeFaults(faults, (field) => this.control(field));
      if (homeless.length) this.refused({ fieldErrors: [], gates: [], message: homeless.map((fault) => fault.detail).join("; ") });
      return null;
    }
    const parts = this.sent.map(({ right, units: amount, tier, branch }) => ({ right_id: right.id, units: amount, ...(tier ? { tier } : {}), ...(branch ? { branch } : {}) }));
    const made = { label: label.value.trim(), parts, policy: this.policy() };
    return this.former ? { ...made, rules: this.former.rules } : { type: this.kind, ...made };
  }
}

define("sx-builder", Builder);
