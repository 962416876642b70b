// A question before an act on one thing: what will happen, what has to be said, and the venue's refusals at their fields.

import { sending, valuesOf } from "./desk_form.js";
import { h } from "./dom.js";

function control(field, id) {
  if (field.kind === "moment") return h("input", { type: "datetime-local", step: "60", id, "data-at": field.name });
  return h("input", { type: "text", id, "data-at": field.name, maxLength: field.most ?? 500, autocomplete: "off", inputMode: field.numeric ? "numeric" : null });
}

let asked = 0;

/** Ask with `fields` ([{name, label, kind, hint}]); `send(values, options)` does it, `done(answer)` is told. */
export function askFor({ title, sentence, fields = [], verb, danger = false, send, done }) {
  asked += 1;
  const rows = fields.map((field, place) => {
    const id = `ask-${asked}-${place}`;
    const made = control(field, id);
    if (field.value) made.value = field.value;
    if (field.hint) made.setAttribute("aria-describedby", `${id}-hint`);
    return h("div", { class: "field" }, h("label", { for: id }, field.label), made, field.hint ? h("p", { class: "hint", id: `${id}-hint` }, field.hint) : null);
  });
  const form = h(
    "form",
    { noValidate: true },
    h("h2", { id: `ask-${asked}` }, title),
    h("p", {}, sentence),
    h("div", { "data-problem": true }),
    ...rows,
    h(
      "div",
      { class: "actions" },
      h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Leave it"),
      h("button", { class: `button ${danger ? "danger" : "main"}` }, verb),
    ),
  );
  const dialog = h("dialog", { "aria-labelledby": `ask-${asked}`, onclose: () => dialog.remove() }, form);
  sending(form, (options) => send(valuesOf(form), options), done);
  document.body.append(dialog);
  dialog.showModal();
}
