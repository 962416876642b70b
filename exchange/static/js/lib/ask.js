// One question before something that can't be taken back.

import { h } from "./dom.js";

/** Resolves to the chosen value, or null when the question was left. `choices`: [[value, text], …]. */
export function ask(title, sentence, choices, leave = "Leave it") {
  return new Promise((resolve) => {
    let chosen = null;
    const choose = (value) => {
      chosen = value;
      dialog.close();
    };
    const dialog = h(
      "dialog",
      {
        "aria-label": title,
        onclose: () => {
          dialog.remove();
          resolve(chosen);
        },
      },
      h(
        "div",
        { class: "body" },
        h("h2", {}, title),
        h("p", {}, sentence),
        h(
          "div",
          { class: "actions" },
          h("button", { class: "button", type: "button", onclick: () => choose(null) }, leave),
          ...choices.map(([value, text]) => h("button", { class: "button danger", type: "button", onclick: () => choose(value) }, text)),
        ),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
