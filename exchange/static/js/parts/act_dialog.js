// An act in a dialog: its form is made from a list of fields.

import { define, h } from "../lib/dom.js";
import { Act } from "./act.js";

/** An act that stays on the page: whoever shows lists hears `sx-acted` and reads them again. */
export class StayingAct extends Act {
  done() {
    this.say();
    document.dispatchEvent(new CustomEvent("sx-acted"));
  }
}

/** An act in a dialog, which closes when it is done. */
export class DialogAct extends StayingAct {
  done() {
    this.closest("dialog").close();
    super.done();
  }
}

define("sx-dialog-act", DialogAct);

let made = 0;

function field({ name, label, hint, ...attributes }) {
  made += 1;
  const id = `act-${made}`;
  return h("div", { class: "field" }, h("label", { for: id }, label), h("input", { type: "text", autocomplete: "off", spellcheck: "false", id, name, ...attributes }), hint ? h("p", { class: "hint" }, hint) : null);
}

/**
 * Open a dialog for one act. `path`, `method`: the call; `title`, `sentence`; `fields`: [{name, label, hint, …attributes}];
 * `fixed`: members of the body that nobody types; `yes`: the button; `said`: what is announced; `tag`: an element of its own for the act.
 * Answers the act's element.
 */
export function openAct({ path, method = "POST", title, sentence, fields = [], fixed = {}, yes, said, danger = false, tag = "sx-dialog-act" }) {
  const dialog = h("dialog", { "aria-label": title, onclose: () => dialog.remove() });
  const hidden = Object.entries(fixed).map(([name, value]) => h("input", { type: "hidden", name, value }));
  const form = h(
    "form",
    { novalidate: true },
    h("h2", {}, title),
    sentence ? h("p", {}, sentence) : null,
    ...fields.map(field),
    ...hidden,
    h("div", { class: "actions" }, h("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Leave it"), h("button", { class: `button ${danger ? "danger" : "main"}` }, yes)),
  );
  const act = h(tag, { "data-path": path, "data-method": method, "data-said": said });
  act.append(form);
  dialog.append(act);
  document.body.append(dialog);
  dialog.showModal();
  return act;
}
