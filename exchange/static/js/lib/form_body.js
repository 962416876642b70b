// A form's fields as the body of a call, and a refusal's words put where they belong.

import { h } from "./dom.js";

/**
 * The named controls' values by name. `data-as`: "list" splits at commas, "flag" is a checkbox's state, "choice" is one
 * of several that make a list, "moment" is a UTC time; otherwise text. What is empty is left out, unless the control has `data-may-be-empty`.
 */
export function bodyOf(form) {
  const body = {};
  for (const control of form.elements) {
    if (!control.name || control.disabled) continue;
    const value = valueOf(control);
    if (control.dataset.as === "choice") (body[control.name] ??= []).push(...(control.checked ? [control.value] : []));
    else if (value !== null && (control.type !== "radio" || control.checked)) body[control.name] = value;
  }
  return body;
}

function valueOf(control) {
  const text = control.value.trim();
  if (control.dataset.as === "flag") return control.checked;
  if (control.dataset.as === "list") return listOf(text);
  if (text === "") return "mayBeEmpty" in control.dataset ? "" : null;
  if (control.dataset.as === "moment") return `${text}${text.length === 16 ? ":00" : ""}Z`;
  return text;
}

/** "a, b" as ["a", "b"]. */
export function listOf(text) {
  return text.split(",").map((word) => word.trim()).filter(Boolean);
}

/** Take every remark off a form again. */
export function clearFaults(form) {
  for (const remark of form.querySelectorAll("[data-said]")) remark.remove();
  for (const control of form.querySelectorAll("[aria-invalid], [aria-describedby]")) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-describedby");
  }
}

function remark(control, text, kind) {
  const field = control.closest(".field") ?? control.parentElement;
  const id = `${control.id || control.name}-remark-${field.querySelectorAll("[data-said]").length}`;
  field.append(h("p", { class: kind, id, "data-said": true }, text));
  control.setAttribute("aria-describedby", [control.getAttribute("aria-describedby"), id].filter(Boolean).join(" "));
}

/** Say what is wrong at a control; the same control may have several remarks. */
export function sayFault(control, text) {
  remark(control, text, "field-error");
  control.setAttribute("aria-invalid", "true");
}

/** Say at a control what is good to know of what is typed there. */
export function sayNote(control, text) {
  remark(control, text, "hint");
}

/** The faults a refusal names at their controls; those that have none here are given back. `find`: a field's control. */
export function placeFaults(faults, find) {
  const homeless = [];
  let first = null;
  for (const fault of faults) {
    const control = find(fault.field);
    if (!control) {
      homeless.push(fault);
      continue;
    }
    sayFault(control, fault.detail);
    first ??= control;
  }
  first?.focus();
  return homeless;
}
