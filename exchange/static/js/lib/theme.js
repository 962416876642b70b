// Dark or light: the system's choice until somebody makes one, which is then kept for a year.

function dark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

export function toggleTheme() {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  document.cookie = `theme=${theme};path=/;max-age=31536000;samesite=lax`;
  dispatchEvent(new CustomEvent("themechange"));
}

/** Call back when the colours may have changed. */
export function onTheme(call) {
  addEventListener("themechange", call);
  for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)"]) matchMedia(query).addEventListener("change", call);
}

/** A colour of the style sheets as the canvas understands it. */
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  probe.style.forcedColorAdjust = "none"; // a canvas is drawn in all its colours, or its lines are those of its ground
  probe.hidden = true;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
