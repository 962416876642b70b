// Standing policies: what each is allowed, what it did and by which rule, tried before it stands.

import { announce } from "../lib/announce.js";
import { del, get, patch, post } from "../lib/api.js";
import { askFor } from "../lib/desk_ask.js";
import { looking, sending, unreadable, valuesOf } from "../lib/desk_form.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { PagedCards } from "./paged.js";
import { planOf } from "./plan.js";
import { shortId } from "./preview.js";

const MARKS = { active: "status-active", paused: "status-frozen", stopped: "status-expired", ended: "status-finalized" };

class Policies extends PagedCards {
  wait = "Loading policies";

  connect() {
    this.follow(new PagedList("/policies", { limit: 50 }));
  }

  choose(state) {
    this.restart({ state: state || null, limit: 50 });
  }

  nothing() {
    return this.list.params.state ? ["None in this state", "Another state shows the rest."] : ["No policy stands yet", "Write one below and try it: it shows what it would do, and does nothing."];
  }

  card(row) {
    const told = h("div", { role: "status", class: "inside-lines" });
    const show = async (work) => {
      try {
        told.replaceChildren(...[await work()].flat());
      } catch (problem) {
        told.replaceChildren(h("p", { class: "bad" }, problem.message));
      }
    };
    const button = (text, click, kind = "") => h("button", { class: `button small ${kind}`, type: "button", onclick: click }, text);
    const live = row.state === "active" || row.state === "paused";
    return h(
      "li",
      { class: "card", "data-policy": row.id },
      h(
        "div",
        { class: "card-head" },
        h("h3", {}, row.label || row.kind),
        h("span", { class: `badge ${MARKS[row.state] ?? ""}` }, row.state),
        h("span", { class: "muted" }, `${row.kind}, revision ${row.revision}, under `, shortId(row.key_id), row.looked_at ? `; looked ${dayTime(row.looked_at)} UTC` : ""),
        h(
          "span",
          { class: "card-acts" },
          live && row.kind === "rebalancer" ? button("Try it", () => show(async () => planOf(await post(`/policies/${row.id}/runs?dry_run=true`, {})))) : null,
          row.kind === "rebalancer" ? button("What it did", () => show(() => this.runs(row))) : null,
          row.state === "active" ? button("Pause", () => this.set(row, "paused")) : row.state === "paused" ? button("Go on", () => this.set(row, "active")) : null,
          live ? button("End it", () => this.end(row), "danger") : null,
        ),
      ),
      row.reason ? h("p", { class: "notice warning" }, h("span", {}, row.reason)) : null,
      told,
      h("details", {}, h("summary", {}, "Its rules"), h("pre", { tabIndex: 0, "aria-label": "Rules" }, JSON.stringify(row.rules, null, 2))),
    );
  }

  async runs(row) {
    const { data } = await get(`/policies/${row.id}/runs`, { limit: 20 });
    if (!data.length) return h("p", { class: "muted" }, "It has done nothing yet.");
    return data.map((run) => h("section", { "aria-label": `Run ${run.number}` }, h("p", {}, h("strong", {}, `${dayTime(run.at)} UTC`), `, by ${run.trigger}`), ...planOf(run)));
  }

  async set(row, state) {
    try {
      await patch(`/policies/${row.id}`, { state });
      announce(state === "paused" ? "The policy is paused" : "The policy goes on");
    } catch (problem) {
      announce("That was refused", problem.message, "error");
    }
    this.restart();
  }

  end(row) {
    askFor({
      title: `End ${row.label || "this policy"}?`,
      sentence: "It does nothing any more. Orders it has placed stay until you cancel them.",
      verb: "End it",
      danger: true,
      send: (_, options) => del(`/policies/${row.id}`, null, options),
      done: () => {
        announce("The policy is ended");
        this.restart();
      },
    });
  }
}

define("sx-policies", Policies);

/** Let the form try and make a policy; each kind begins with rules to write on. */
export function connectPolicy(form, beginnings, made) {
  const rules = form.querySelector("[data-rules]");
  const chosen = () => form.querySelector("[name=kind]:checked");
  const kind = () => chosen().value;
  const written = new Map();
  let last = kind();
  const keys = form.querySelector("[data-keys]");
  let live = [];
  // Keys that can do what the kind does come first; the others stay to be seen, with what they lack.
  const offerKeys = () => {
    const needs = chosen().dataset.needs.split(" ").filter(Boolean);
    const rows = live.map((key) => ({ key, lacks: needs.filter((scope) => !key.scopes.includes(scope)) }));
    rows.sort((one, other) => one.lacks.length - other.lacks.length);
    const named = ({ key, lacks }) => `${key.label || shortId(key.id).textContent} (${key.scopes.join(", ")})${lacks.length ? `, lacks ${lacks.join(" and ")}` : ""}`;
    const before = keys.value;
    keys.replaceChildren(...(rows.length ? rows.map((row) => h("option", { value: row.key.id, disabled: row.lacks.length > 0 }, named(row))) : [h("option", { value: "" }, "You have no key yet")]));
    if (rows.some((row) => row.key.id === before && !row.lacks.length)) keys.value = before;
  };
  get("/keys", { limit: 100 }).then(
    ({ data }) => {
      live = data.filter((key) => !key.revoked_at);
      offerKeys();
    },
    () => keys.replaceChildren(h("option", { value: "" }, "Keys could not be loaded")),
  );
  // As tall as its text.
  const fit = () => {
    rules.rows = Math.max(4, rules.value.split("\n").length + 1);
  };
  rules.addEventListener("input", fit);
  rules.value = beginnings[last];
  fit();
  for (const choice of form.querySelectorAll("[name=kind]")) {
    choice.addEventListener("change", () => {
      written.set(last, rules.value);
      last = kind();
      offerKeys();
      rules.value = written.get(last) ?? beginnings[last];
      fit();
    });
  }
  function body() {
    const every = form.querySelector("[data-every]").value.trim();
    try {
      return { kind: kind(), ...valuesOf(form), every_s: /^\d+$/.test(every) ? Number(every) : every, rules: JSON.parse(rules.value) };
    } catch (error) {
      throw unreadable("rules", error);
    }
  }
  looking(form, async () => post("/policies?dry_run=true", body()), (plan) => [h("p", {}, "This is what it would do now."), ...planOf(plan)]);
  sending(form, async (options) => post("/policies", body(), options), (policy) => {
    announce("The policy stands", policy.label);
    made(policy);
  });
}
