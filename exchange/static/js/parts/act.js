// One act over the API: a form that is sent once, after a question where there is one, with every refusal in words.

import { announce } from "../lib/announce.js";
import { call, freshKey } from "../lib/api.js";
import { ask } from "../lib/ask.js";
import { define, h } from "../lib/dom.js";
import { bodyOf, clearFaults, placeFaults } from "../lib/form_body.js";
import { codeWords, learnWords } from "../lib/words.js";

const WAIT_MS = 900;
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** A refusal as a list of reasons: every gate that refused, what it says and what would lift it. */
export function refusalOf(problem, homeless) {
  const gates = problem.gates.filter((gate) => !gate.passed);
  const reasons = gates.map(({ code, detail }) =>
    h("li", {}, h("strong", {}, `${codeWords(code)}. `), capital(detail ?? "")),
  );
  // A reason that stands at its field already is not said twice.
  const rest = homeless.filter((fault) => !gates.some((gate) => gate.detail === fault.detail)).map((fault) => h("li", {}, `${fault.field}: ${fault.detail}`));
  return h("div", { class: "refused", role: "alert" }, h("p", { class: "bad" }, gates.length || rest.length ? "Refused:" : problem.message), h("ul", {}, ...reasons, ...rest));
}

const fill = (text, values) => text.replace(/\{([\w.]+)\}/g, (_, path) => path.split(".").reduce((at, name) => at?.[name], values) ?? "");

/**
 * `data-path` (and `data-method`): the call. `data-title`, `data-confirm`, `data-yes`: the question before it; {name} is a field's value.
 * `data-said`: what is announced. `data-to`: the page to go to, {path} out of the answer; otherwise this page is read again.
 */
export class Act extends HTMLElement {
  connectedCallback() {
    this.form = this.querySelector("form");
    this.form.addEventListener("submit", (event) => this.submitted(event));
    learnWords();
  }

  /** The body of the call; subclasses may ask the venue for what it needs. */
  async body() {
    return bodyOf(this.form);
  }

  path() {
    return this.dataset.path;
  }

  /** The control a field of the API is typed in. */
  control(field) {
    return this.form.elements[field] ?? null;
  }

  async submitted(event) {
    event.preventDefault();
    if (this.busy) return;
    this.busy = true;
    try {
      await this.run();
    } finally {
      this.busy = false;
    }
  }

  async run() {
    this.clear();
    const body = await this.body();
    if (body === null) return;
    const { title, confirm, yes } = this.dataset;
    if (confirm && !(await ask(title, fill(confirm, body), [[true, yes]]))) return;
    // The same form sent again because its answer was lost is the same act; another text is another one.
    const print = JSON.stringify([this.path(), body]);
    if (this.print !== print) [this.print, this.key] = [print, freshKey("act")];
    try {
      const method = this.dataset.method ?? "POST";
      const answer = await call(method, this.path(), { body: method === "DELETE" ? undefined : body, headers: { "Idempotency-Key": this.key } });
      this.print = null;
      this.done(answer);
    } catch (problem) {
      if (problem.code !== "outcome_unknown") this.print = null;
      this.refused(problem);
    }
  }

  say() {
    announce(this.dataset.said);
  }

  done(answer) {
    this.say();
    const to = this.dataset.to ? fill(this.dataset.to, answer) : "";
    setTimeout(() => (to ? location.assign(to) : location.reload()), WAIT_MS);
  }

  refused(problem) {
    const homeless = placeFaults(problem.fieldErrors, (field) => this.control(field));
    const told = problem.fieldErrors.length && !homeless.length && !problem.gates.length;
    if (!told) this.form.append(refusalOf(problem, homeless));
  }

  clear() {
    clearFaults(this.form);
    for (const old of this.querySelectorAll(".refused")) old.remove();
  }
}

define("sx-act", class extends Act {});
