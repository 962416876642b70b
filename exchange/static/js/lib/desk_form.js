// A form of the desk: sends once, tells every refusal at its field, and what belongs to no field above all of them.

import { freshKey } from "./api.js";
import { digits, jsonOf, put } from "./desk_terms.js";
import { h } from "./dom.js";
import { codeWords } from "./words.js";

let made = 0;

/** The control of the field that the API names: by `data-at`, or among its `data-errors`. The place may be a group, or stand for a whole object. */
function placeOf(form, field) {
  for (let name = field; name; name = name.slice(0, Math.max(0, name.lastIndexOf(".")))) {
    const found = form.querySelector(`[data-at="${CSS.escape(name)}"], [data-errors~="${CSS.escape(name)}"]`);
    if (found) return found;
  }
  return null;
}

export function clearErrors(form) {
  for (const error of form.querySelectorAll(".field-error[data-made]")) {
    const control = form.querySelector(`[aria-describedby~="${error.id}"]`);
    const others = control?.getAttribute("aria-describedby").split(" ").filter((id) => id !== error.id) ?? [];
    control?.removeAttribute("aria-invalid");
    if (control) others.length ? control.setAttribute("aria-describedby", others.join(" ")) : control.removeAttribute("aria-describedby");
    error.remove();
  }
  form.querySelector("[data-problem]")?.replaceChildren();
}

function tell(place, words) {
  made += 1;
  const error = h("p", { class: "field-error", id: `desk-error-${made}`, "data-made": true }, words);
  const box = place.closest(".field") ?? place;
  for (let folded = box.closest("details"); folded; folded = folded.parentElement.closest("details")) folded.open = true;
  box.append(error);
  if (place.matches("input, select, textarea")) {
    place.setAttribute("aria-invalid", "true");
    place.setAttribute("aria-describedby", [place.getAttribute("aria-describedby"), error.id].filter(Boolean).join(" "));
  }
}

/** Show what the venue refused. Focus goes to the first field that is wrong, or to the words above the form. */
export function showProblem(form, problem) {
  clearErrors(form);
  const elsewhere = [];
  const said = new Set();
  const wrong = [];
  for (const { field, detail } of problem.fieldErrors ?? []) {
    const place = placeOf(form, field);
    said.add(detail);
    if (!place || place.closest("[hidden]")) elsewhere.push(h("li", {}, h("code", {}, field), ": ", detail));
    else {
      tell(place, detail);
      if (place.matches("input, select, textarea")) wrong.push(place);
    }
  }
  for (const gate of problem.gates ?? []) {
    if (!gate.passed && !said.has(gate.detail)) elsewhere.push(h("li", {}, h("strong", {}, codeWords(gate.code)), ": ", gate.detail));
  }
  wrong.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
  const [first] = wrong;
  const told = elsewhere.length ? h("ul", {}, ...elsewhere) : null;
  const title = problem.code === "outcome_unknown" ? "Whether this was done is not known. Sending it again does it at most once." : codeWords(problem.code);
  const named = [...new Set(wrong.map((place) => place.labels?.[0]?.textContent.trim()).filter(Boolean))];
  const words = named.length ? h("p", {}, `Look at: ${named.join(", ")}.`) : told || first ? null : h("p", {}, problem.message);
  const box = h("div", { class: "notice error", role: "alert", tabIndex: -1 }, h("div", {}, h("p", { class: "strong" }, title), words, told));
  form.querySelector("[data-problem]")?.replaceChildren(box);
  (first ?? box).focus();
}

/** What the form's own controls say, by their `data-at`: texts trimmed, moments in UTC, digits bare; what is empty is left out. */
export function valuesOf(form, kinds = {}) {
  const found = {};
  for (const control of form.querySelectorAll("input[data-at], select[data-at]")) {
    if (control.dataset.path) continue;
    const name = control.dataset.at;
    const kind = kinds[name] ?? (control.type === "checkbox" ? "flag" : control.type === "datetime-local" ? "moment" : "text");
    const value = jsonOf(kind, control);
    if (value !== undefined) put(found, name, kind === "text" && control.inputMode === "numeric" ? digits(value) : value);
  }
  return found;
}

/**
 * Let a form send. `send(headers)` resolves to the answer; `done(answer)` is told of it and the dialog closes.
 * The same key goes along until the venue has answered, so that a broken line doubles nothing.
 */
export function sending(form, send, done) {
  let key = freshKey("desk");
  let busy = false;
  form.addEventListener("input", () => {
    form.querySelector("[data-outcome]")?.replaceChildren();
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    form.setAttribute("aria-busy", "true");
    try {
      const answer = await send({ headers: { "Idempotency-Key": key } });
      key = freshKey("desk");
      clearErrors(form);
      form.closest("dialog")?.close();
      done(answer);
    } catch (problem) {
      if (problem.code !== "outcome_unknown") key = freshKey("desk");
      showProblem(form, problem);
    } finally {
      busy = false;
      form.removeAttribute("aria-busy");
    }
  });
}

/** Let a button ask what would be, and show it. */
export function looking(form, look, show) {
  form.querySelector("[data-look]")?.addEventListener("click", async () => {
    const outcome = form.querySelector("[data-outcome]");
    clearErrors(form);
    outcome.replaceChildren();
    try {
      const answer = await look();
      outcome.replaceChildren(...[show(answer)].flat());
      outcome.scrollIntoView({ block: "nearest" });
    } catch (problem) {
      showProblem(form, problem);
    }
  });
}

/** What a textarea says that can't be read, as the venue would say it. */
export function unreadable(field, error) {
  return { code: "malformed_json", message: "The text is not JSON.", fieldErrors: [{ field, detail: `not JSON: ${error.message}` }], gates: [] };
}
