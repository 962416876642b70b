// Delegations: what the reader lets others use, and what others let him use.

import { grouped } from "../lib/decimal.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { openAct, StayingAct } from "./act_dialog.js";
import { Paged } from "./paged.js";
import { shortId } from "./preview.js";

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const OF = { rgt: "right_id", pkg: "package_id", dlg: "parent_delegation_id" };

/** Begin the form below with what is to be lent. */
export function lend(id) {
  const field = document.querySelector("#lend-of");
  field.value = id;
  field.scrollIntoView({ block: "center" });
  document.querySelector("#lend-to").focus();
}

class Delegations extends Paged {
  kind = "delegations";
  caption = "Delegations you gave and took";
  heads = [["Delegation", ""], ["May still use", "num"], ["For", "wide"], ["When", ""], ["Act", "end"]];

  connect() {
    this.account = document.querySelector("[data-account]").textContent;
    this.follow(new PagedList("/delegations", { limit: 50 }));
  }

  nothing() {
    return ["No delegations", "The form below lets somebody use units of yours, within bounds; you can end that at any time."];
  }

  rowsOf(lent) {
    const mine = lent.delegator === this.account;
    const open = lent.state === "active";
    const of = lent.right_id ?? lent.package_id;
    const may = [lent.fallback_allowed ? "fallbacks allowed" : null, lent.subdelegation_allowed ? "may be passed on" : null].filter(Boolean).join(", ");
    return [
      h(
        "tr",
        { class: open ? "" : "over" },
        h("th", { scope: "row" }, mine ? ["To ", shortId(lent.delegate)] : ["To you, by ", shortId(lent.delegator)], h("span", { class: "under" }, lent.right_id ? "of the right " : "of the package ", mine && lent.right_id ? h("a", { href: `/rights/${of}` }, shortId(of)) : shortId(of), " · ", shortId(lent.id))),
        h("td", { class: "num" }, h("strong", {}, grouped(lent.left_units)), h("span", { class: "under" }, `of ${grouped(lent.max_units)}`)),
        h("td", { class: "wide" }, lent.workload_classes.join(", ") || "any work", may ? h("span", { class: "under" }, may) : null),
        h("td", {}, `${dayTime(lent.valid_from)} –`, h("br"), dayTime(lent.valid_until)),
        h("td", { class: "end" }, open && mine ? h("button", { class: "button small danger", type: "button", "aria-label": `Revoke the delegation of ${lent.max_units} units`, onclick: () => this.revoke(lent) }, "Revoke") : open && lent.subdelegation_allowed ? h("button", { class: "button small", type: "button", "aria-label": `Pass on of ${lent.left_units} units`, onclick: () => lend(lent.id) }, "Pass on") : open ? "Open" : capital(lent.state)),
      ),
    ];
  }

  revoke(lent) {
    openAct({
      path: `/delegations/${lent.id}`,
      method: "DELETE",
      title: "Revoke it?",
      sentence: `${grouped(lent.left_units)} units can no longer be used under it, from this moment on; what was passed on from it ends too.`,
      yes: "Revoke it",
      said: "Revoked",
      danger: true,
    });
  }
}

/** The form that lends. What is lent is told by its id's first letters. */
class Lend extends StayingAct {
  async body() {
    const { of = "", ...bounds } = await super.body();
    this.of = OF[of.slice(0, 3)] ?? "right_id";
    return { [this.of]: of, ...bounds };
  }

  control(field) {
    return super.control(Object.values(OF).includes(field) ? "of" : field);
  }

  done() {
    this.form.reset();
    super.done();
  }
}

define("sx-delegations", Delegations);
define("sx-lend", Lend);
