// What just happened, for eyes and for screen readers: one polite region, no piling up.

import { h } from "./dom.js";

const SHOWN_MS = 9000;
const MOST = 4;

/** Show a message for a while. `kind`: "buy", "sell", "error" or "". */
export function announce(title, detail = "", kind = "") {
  const region = document.querySelector("[data-toasts]");
  const toast = h("div", { class: `toast ${kind}` }, h("p", { class: "strong" }, title), detail ? h("p", {}, detail) : null);
  region.append(toast);
  while (region.children.length > MOST) region.firstChild.remove();
  let timer = setTimeout(() => toast.remove(), SHOWN_MS);
  toast.addEventListener("pointerenter", () => clearTimeout(timer));
  toast.addEventListener("pointerleave", () => {
    timer = setTimeout(() => toast.remove(), SHOWN_MS / 3);
  });
}
