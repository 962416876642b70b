// Units out of a package become a package of their own, under the same rules.

import { grouped } from "../lib/decimal.js";
import { define } from "../lib/dom.js";
import { placeFaults } from "../lib/form_body.js";
import { splitFaults } from "../lib/package_rules.js";
import { DialogAct, openAct } from "./act_dialog.js";
import { shortId } from "./preview.js";

class Split extends DialogAct {
  /** The inputs of parts, one for each right in the package. */
  get inputs() {
    return [...this.form.querySelectorAll("[data-part]")];
  }

  control(field, sent = this.sent ?? []) {
    const [head, place] = field.split(".");
    if (head !== "parts") return super.control(field);
    return (place === undefined ? null : sent[Number(place)]) ?? this.inputs[0];
  }

  async body() {
    this.sent = this.inputs.filter((input) => input.value.trim());
    const taken = this.sent.map((input) => ({ right_id: input.dataset.part, units: input.value.trim() }));
    const label = this.form.elements.label.value.trim();
    const faults = [...(label ? [] : [{ field: "label", detail: "name it" }]), ...splitFaults(this.parts, taken)];
    if (!faults.length) return { label, parts: taken };
    placeFaults(faults, (field) => this.control(field));
    return null;
  }
}

define("sx-split", Split);

/** Ask which units leave the package. */
export function splitPackage(pack) {
  const part = ({ right_id: id, units, tier, branch }, place) => ({
    name: `units-${place}`,
    label: `Units of ${shortId(id)}${tier ? `, ${tier}` : ""}${branch ? `, branch ${branch}` : ""}`,
    hint: `${grouped(units)} are in it; empty leaves them there.`,
    inputmode: "numeric",
    maxlength: "24",
    "data-part": id,
  });
  const act = openAct({
    path: `/packages/${pack.id}/split`,
    title: `Split “${pack.label}”`,
    sentence: "What you take out becomes a package of its own, with the same rules. An open offer of this one ends.",
    fields: [{ name: "label", label: "Label of the new package", maxlength: "120" }, ...pack.parts.map(part)],
    yes: "Split it",
    said: "Package split",
    tag: "sx-split",
  });
  act.parts = pack.parts;
}
