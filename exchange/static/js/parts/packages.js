// The reader's packages: what is in each, which rules it adds, and what may be done with it as a whole.

import { grouped } from "../lib/decimal.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { openAct } from "./act_dialog.js";
import { lend } from "./delegations.js";
import { splitPackage } from "./package_split.js";
import { Paged } from "./paged.js";
import { shortId } from "./preview.js";

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Rights and units of a package, folded; `mine` links them. */
export function partsOf(parts, mine) {
  const part = ({ right_id: id, right, units, tier, branch, class: key }) => {
    const name = shortId(id ?? right);
    return h("li", {}, mine ? h("a", { href: `/rights/${id}` }, name) : name, ` ${grouped(units)} units`, key ? `, ${key}` : "", tier ? `, ${tier}` : "", branch ? `, branch ${branch}` : "");
  };
  return h("details", { class: "fold" }, h("summary", {}, plural(parts.length, "right")), h("ul", { class: "parts" }, ...parts.map(part)));
}

/** What a package's own rules say, one by one. */
export function policyOf(policy) {
  const fields = Object.entries(policy ?? {});
  if (!fields.length) return null;
  const words = (value) => (Array.isArray(value) ? value.join(", ") : value === true ? "yes" : value === false ? "no" : String(value));
  return h(
    "details",
    { class: "fold" },
    h("summary", {}, plural(fields.length, "rule"), " of its own"),
    h("ul", { class: "parts" }, ...fields.map(([name, value]) => h("li", {}, `${capital(name.replaceAll("_", " "))}: ${words(value)}`))),
  );
}

class Packages extends Paged {
  kind = "packages";
  caption = "Your packages";
  heads = [["Package", ""], ["In it", ""], ["Units", "num wide"], ["Since", "wide"], ["Act", "end"]];

  connect() {
    this.follow(new PagedList("/packages", { limit: 50 }));
  }

  nothing() {
    return ["No packages yet", "Units of several rights can be kept together and sold as a whole."];
  }

  rowsOf(pack) {
    const live = pack.state === "active";
    return [
      h(
        "tr",
        { class: live ? "" : "over" },
        h("th", { scope: "row" }, pack.label, h("span", { class: "under" }, capital(pack.type), " · ", shortId(pack.id)), live ? null : h("span", { class: "badge status-finalized" }, "Taken apart")),
        h("td", {}, live ? partsOf(pack.parts, true) : "–", policyOf(pack.policy)),
        h("td", { class: "num wide" }, live ? grouped(pack.units) : "–"),
        h("td", { class: "wide nowrap" }, dayTime(pack.created_at)),
        h("td", { class: "end" }, live ? this.acts(pack) : null),
      ),
    ];
  }

  acts(pack) {
    const act = (text, open) => h("button", { class: "button small", type: "button", "aria-label": `${text}: ${pack.label}`, onclick: open }, text);
    const change = h("a", { class: "button small", href: `/packages/${pack.id}/change`, "aria-label": `Change: ${pack.label}` }, "Change");
    return h("div", { class: "row-acts" }, act("Offer", () => this.offer(pack)), act("Give", () => this.give(pack)), act("Lend", () => lend(pack.id)), change, act("Split", () => splitPackage(pack)), act("Take apart", () => this.end(pack)));
  }

  offer(pack) {
    openAct({
      path: "/block-offers",
      title: `Offer “${pack.label}”`,
      sentence: "At a fixed price, whole or not at all. What is in it is shown to whoever may take it.",
      fields: [
        { name: "price", label: "Price for all of it, USD", inputmode: "decimal" },
        { name: "expires_at", label: "Ends, UTC", type: "datetime-local", "data-as": "moment", hint: "At most 30 days from now." },
        { name: "buyer", label: "Only to this account id, or empty for anybody", placeholder: "acc_…" },
      ],
      fixed: { package_id: pack.id },
      yes: "Offer it",
      said: "On offer",
    });
  }

  give(pack) {
    openAct({
      path: `/packages/${pack.id}/transfer`,
      title: `Give “${pack.label}” away`,
      sentence: "All of it goes to another holder, without payment, if every right in it may. It can't be taken back.",
      fields: [{ name: "to", label: "Receiver's account id", placeholder: "acc_…" }],
      yes: "Give it away",
      said: "Given away",
      danger: true,
    });
  }

  end(pack) {
    openAct({
      path: `/packages/${pack.id}/finalize`,
      title: `Take “${pack.label}” apart`,
      sentence: "Its units are free again. An open offer of it can no longer be taken, and what was lent from it can no longer be used.",
      fields: [{ name: "reason", label: "Reason, for the record", maxlength: "500" }],
      yes: "Take it apart",
      said: "Taken apart",
      danger: true,
    });
  }
}

define("sx-packages", Packages);
