// What was asked so far, newest first, and what each request came to.

import { grouped } from "../lib/decimal.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { Paged } from "./paged.js";
import { shortId } from "./preview.js";

const MARKS = { completed: "status-active", settled: "status-active", fallback_completed: "status-active", partially_completed: "status-issued", failed: "status-expired", expired: "status-expired", cancelled: "status-expired" };

// What a settlement came to says more than that there is one.
const OUTCOMES = { full: ["Done in full", "status-active"], fallback: ["Done by a fallback", "status-active"], partial: ["Done in part", "status-issued"], failed: ["Failed", "status-expired"], expired: ["Too late", "status-expired"], cancelled: ["Called off", "status-expired"] };

/** Of a request: its outcome where one is decided, else how far it is. */
export function stateBadge({ state, outcome }) {
  const text = state.replaceAll("_", " ");
  const [words, mark] = OUTCOMES[outcome] ?? [text.charAt(0).toUpperCase() + text.slice(1), MARKS[state] ?? "status-issued"];
  return h("span", { class: `badge ${mark}`, title: outcome ? `The request is ${text}` : null }, words);
}

/** Whether it came to nothing, so that nothing is charged. */
export const cameToNothing = ({ state, outcome }) => ["failed", "expired", "cancelled"].includes(outcome ?? state);

class Requests extends Paged {
  kind = "requests";
  caption = "Requests";
  heads = [["Request", ""], ["State", ""], ["Units", "num"], ["By", "wide"], ["Sent", "wide"], ["Due", "wide"]];

  connect() {
    this.follow(new PagedList("/requests", { limit: 50 }));
  }

  choose(state) {
    this.restart({ state: state || null, limit: 50 });
  }

  nothing() {
    return this.list.params.state ? ["None in this state", "Another state shows the rest."] : ["Nothing asked yet", "Send a request above, or call the venue with an OpenAI client."];
  }

  rowsOf(request) {
    const by = [...new Set(request.routes.filter((route) => !["quoted", "refused"].includes(route.state)).map((route) => route.supplier))];
    return [
      h(
        "tr",
        { "data-request": request.id },
        h("th", { scope: "row" }, h("a", { href: `/use/${request.id}` }, request.operation), h("span", { class: "under" }, request.workload, " · ", shortId(request.id))),
        h("td", {}, stateBadge(request)),
        h("td", { class: "num" }, grouped(request.units)),
        h("td", { class: "wide" }, by.join(", ") || h("span", { class: "muted" }, "nobody yet")),
        h("td", { class: "wide" }, dayTime(request.created_at)),
        h("td", { class: "wide" }, dayTime(request.latest_at)),
      ),
    ];
  }
}

define("sx-requests", Requests);
