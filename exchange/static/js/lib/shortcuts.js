// Single-key shortcuts: listed in one dialog, silent while somebody types, and off for those who want them off.

import { h } from "./dom.js";

const STORE = "shortcuts";
const known = new Map();
let prefix = "";

function on() {
  return localStorage.getItem(STORE) !== "off";
}

/** Let `key` (as in KeyboardEvent.key, or "g m" for two in a row) do something. */
export function shortcut(key, words, act) {
  known.set(key, { words, act });
}

function typing(target) {
  return target.matches?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || !on()) return;
  if (document.querySelector("dialog[open]")) return;
  const key = prefix ? `${prefix} ${event.key}` : event.key;
  prefix = "";
  const found = known.get(key);
  if (found) {
    event.preventDefault();
    found.act();
  } else if ([...known.keys()].some((other) => other.startsWith(`${event.key} `))) {
    prefix = event.key;
  }
}

export function showShortcuts() {
  const dialog = document.querySelector("[data-shortcuts]");
  const list = dialog.querySelector("[data-keys]");
  list.replaceChildren(
    ...[...known].map(([key, { words }]) =>
      h("div", {}, h("dt", {}, ...key.split(" ").map((part) => h("kbd", {}, part))), h("dd", {}, words)),
    ),
  );
  const check = dialog.querySelector("[data-keys-on]");
  check.checked = on();
  check.onchange = () => localStorage.setItem(STORE, check.checked ? "on" : "off");
  dialog.showModal();
}

export function listenForShortcuts() {
  document.addEventListener("keydown", pressed);
}
