// One request: how far it is, who could do it and why, what bounded it, what was delivered and what was charged.

import { adviceOf } from "../lib/advice.js";
import { announce } from "../lib/announce.js";
import { get, post } from "../lib/api.js";
import { boundName, boundText } from "../lib/bounds.js";
import { grouped } from "../lib/decimal.js";
import { askFor } from "../lib/desk_ask.js";
import { define, empty, failed, h, loading, Part, redraw } from "../lib/dom.js";
import { dayTime } from "../lib/time.js";
import { faultWords } from "../lib/words.js";
import { candidates, told } from "./candidates.js";
import { shortId } from "./preview.js";
import { cameToNothing, stateBadge } from "./requests.js";
import { panel, settled } from "./settled.js";

const OPEN = ["received", "validated", "matched", "executing", "deferred"];
const STEPS = [
  ["Asked", (request) => request.created_at],
  ["Route locked", (request) => request.routes.map((route) => route.locked_at).filter(Boolean).sort()[0]],
  ["Ended", (request) => (OPEN.includes(request.state) ? null : request.ended_at ?? request.updated_at)],
];
const FOLLOWED = ["requests", "settlements"];
const EVERY_MS = 2000; // while there is no line to the venue
const SOON_MS = 100; // several facts of one moment are read once

function fact(name, ...value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, ...value));
}

/** Why it came to nothing, in the suppliers' own words where they gave some, and what can be done now. */
function nothingOf(request, receipt) {
  if (!cameToNothing(request)) return null;
  const errors = (receipt?.legs ?? []).filter((leg) => leg.error).map((leg) => h("li", {}, h("strong", {}, leg.supplier), `: ${faultWords(leg.error)}`));
  return h("div", { class: "notice error" }, h("div", {}, h("p", { class: "strong" }, "It came to nothing, and nothing is charged."), errors.length ? h("ul", {}, ...errors) : null, h("p", {}, `${adviceOf(request, receipt)} `, h("a", { href: `/use${request.rights.length ? `?right=${request.rights[0].right_id}` : ""}` }, "Send another request"))));
}

/** What is there, or null where it is not there yet. */
const maybe = (path) => get(path).catch((problem) => {
  if (problem.status === 404) return null;
  throw problem;
});

/** The words of a chat's answer where it is one; otherwise the whole, as the supplier gave it. */
function answerOf(output) {
  let said = null;
  try {
    said = JSON.parse(output)?.choices?.map((choice) => choice.message?.content ?? choice.text).filter(Boolean).join("\n\n");
  } catch {
    // Not JSON: shown as it is.
  }
  const whole = h("pre", { class: "answer-text", tabIndex: 0, "aria-label": "What came back, word by word" }, output);
  return said ? h("div", { class: "inside-lines" }, h("p", { class: "answer-text" }, said), h("details", {}, h("summary", {}, "Word by word"), whole)) : whole;
}

class OneRequest extends Part {
  connect({ id, venue }) {
    this.id = id;
    this.following = new Set();
    for (const channel of FOLLOWED) this.follow(venue, channel);
    this.replaceChildren(loading("Loading the request"));
    this.load();
  }

  /** What happens to this request is told on a private channel; whatever came while there was no line is read when there is one. */
  follow(venue, channel) {
    venue.subscribe(
      { channel },
      {
        message: (message) => message.type === "event" && message.data.request_id === this.id && this.soon(),
        live: () => {
          this.following.add(channel);
          this.soon();
        },
        lost: () => {
          this.following.delete(channel);
          this.soon();
        },
      },
    );
  }

  soon() {
    clearTimeout(this.again);
    this.again = setTimeout(() => this.load(), SOON_MS);
  }

  /** One reading at a time, so that an older one never comes last. */
  async load() {
    clearTimeout(this.again);
    if (this.reading) {
      this.stale = true;
      return;
    }
    this.reading = true;
    await this.read();
    this.reading = false;
    if (this.stale) this.soon();
    this.stale = false;
  }

  async read() {
    try {
      this.request = await get(`/requests/${this.id}`);
      [this.receipt, this.settlement] = await Promise.all([
        this.request.receipt_id ? maybe(`/requests/${this.id}/receipt`) : null,
        this.request.settlement_id ? maybe(`/requests/${this.id}/settlement`) : null,
      ]);
      this.output = OPEN.includes(this.request.state) ? null : ((await maybe(`/requests/${this.id}/output`))?.output ?? null);
      this.failure = null;
    } catch (problem) {
      this.failure = problem;
    }
    this.changed();
    if (!this.failure && OPEN.includes(this.request.state) && this.following.size < FOLLOWED.length) {
      clearTimeout(this.again);
      this.again = setTimeout(() => this.load(), EVERY_MS);
    }
  }

  draw() {
    if (this.failure && !this.request) {
      const link = () => h("a", { class: "button", href: "/use" }, "See all requests");
      this.replaceChildren(this.failure.status === 404 ? empty("There is no such request", "It may be somebody else's, or the address was mistyped.", link()) : failed(this.failure, () => this.load()));
      return;
    }
    const { request } = this;
    redraw(this, this.top(request), this.output === null ? "" : panel("What came back", "Kept for seven days", answerOf(this.output)), this.routes(request), ...settled(this.receipt, this.settlement, () => this.load()), this.bounds(request));
  }

  top(request) {
    const steps = STEPS.map(([name, at]) => {
      const moment = at(request);
      return h("li", { class: moment ? "reached" : "" }, h("strong", {}, name), h("span", { class: "muted" }, moment ? `${dayTime(moment)} UTC` : "not yet"));
    });
    const rights = request.rights.map((row, place) => [place ? ", " : "", h("a", { href: `/rights/${row.right_id}` }, shortId(row.right_id))]).flat();
    const named = [request.package_id ? ["package ", h("a", { href: "/packages" }, shortId(request.package_id)), request.branch ? `, branch ${request.branch}` : ""] : [], request.package_id && rights.length ? [": "] : []].flat(2);
    return panel(
      "What was asked",
      "",
      h("p", {}, stateBadge(request), ` ${request.operation}, ${grouped(request.units)} units at most, out of `, ...named, ...(rights.length || named.length ? rights : ["what the delegation covers"])),
      nothingOf(request, this.receipt),
      h("ol", { class: "way", "aria-label": "How far it is" }, ...steps),
      h(
        "dl",
        { class: "facts-line" },
        fact("Kind of work", request.workload),
        fact("Due", `${dayTime(request.latest_at)} UTC`),
        fact("Delivery", request.delivery),
        fact("Budget", request.budget),
        fact("Work, SHA-256", shortId(request.payload_hash)),
      ),
      ["received", "validated", "matched", "deferred"].includes(request.state) ? h("div", { class: "actions-line" }, h("button", { class: "button danger", type: "button", onclick: () => this.cancel() }, "Call it off")) : null,
    );
  }

  routes(request) {
    const choosing = request.state === "validated";
    const acts = (route) => (choosing && route.state === "quoted" ? [h("button", { class: "button small main", type: "button", onclick: () => this.lock(route) }, "Use this one")] : []);
    const again = choosing ? h("button", { class: "button", type: "button", onclick: () => this.quote() }, "Look again") : null;
    return panel("Routes", "A right is a standing claim; a route is a moment's choice", candidates(told(request.routes, this.receipt), acts), again ? h("div", { class: "actions-line" }, again) : null);
  }

  bounds(request) {
    const rows = request.effective.flatMap((one) => one.narrowings.map((row) => h("tr", {}, h("th", { scope: "row" }, boundName(row.field)), h("td", {}, row.by), h("td", {}, boundText(row.field, row.before)), h("td", {}, boundText(row.field, row.after)))));
    const table = h(
      "div",
      { class: "scroll" },
      h("table", { class: "table" }, h("caption", { class: "sr-only" }, "What narrowed it"), h("thead", {}, h("tr", {}, ...["Bound", "By", "From", "To"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, ...rows)),
    );
    return panel("What bounded it", "The intersection of what right, request and route allow", rows.length ? table : h("p", { class: "muted" }, "Nothing narrowed it."));
  }

  async act(work, title) {
    try {
      await work();
      announce(title);
    } catch (problem) {
      announce("That was refused", problem.fieldErrors?.[0]?.detail ?? problem.gates?.[0]?.detail ?? problem.message);
    }
    this.load();
  }

  lock(route) {
    return this.act(() => post(`/requests/${this.id}/lock`, { route_ids: [route.id] }), "The route is locked");
  }

  quote() {
    return this.act(() => post(`/requests/${this.id}/quotes`, {}), "The routes are as of now");
  }

  cancel() {
    askFor({
      title: "Call this request off?",
      sentence: "What is reserved for it is free again. Once a supplier is at work it can't be called off.",
      fields: [{ name: "reason", label: "Reason" }],
      verb: "Call it off",
      danger: true,
      send: ({ reason }, options) => post(`/requests/${this.id}/cancel`, reason ? { reason } : {}, options),
      done: () => {
        announce("The request is called off");
        this.load();
      },
    });
  }
}

define("sx-request", OneRequest);
