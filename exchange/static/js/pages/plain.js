// What every page does: the colours, the shortcuts, the venue's clock.

import "../parts/clocks.js";
import { listenForShortcuts, shortcut, showShortcuts } from "../lib/shortcuts.js";
import { toggleTheme } from "../lib/theme.js";
import { measure } from "../lib/venue_time.js";

const ACTS = { theme: toggleTheme, shortcuts: showShortcuts };

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-do]");
  if (button) ACTS[button.dataset.do]?.();
});

function go(path) {
  const link = document.querySelector(`.bar nav a[href="${path}"]`);
  return () => link?.click();
}

shortcut("?", "Show these shortcuts", showShortcuts);
shortcut("t", "Change between dark and light", toggleTheme);
shortcut("g m", "Go to the markets", go("/"));
if (document.querySelector('.bar nav a[href="/rights"]')) {
  shortcut("g r", "Go to your rights", go("/rights"));
  shortcut("g p", "Go to your packages", go("/packages"));
  shortcut("g a", "Go to your account", go("/account"));
  if (document.querySelector('.bar nav a[href="/desk"]')) shortcut("g d", "Go to the issuer desk", go("/desk"));
}
listenForShortcuts();
measure();
