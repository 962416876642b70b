// Routes as a person reads them: who would do it, with what score and why, or why not.

import { grouped } from "../lib/decimal.js";
import { h } from "../lib/dom.js";
import { codeWords } from "../lib/words.js";
import { shortId } from "./preview.js";

const STATES = { quoted: "Possible", refused: "Not possible", locked: "Locked", executing: "At work", completed: "Done", failed: "Failed", released: "Released", expired: "Run out", replaced: "Replaced" };
const MARKS = { locked: "status-issued", executing: "status-issued", completed: "status-active", refused: "status-expired", failed: "status-expired", expired: "status-expired" };

/** Which part of its package a route uses, if it has a name. */
const part = (route) => (route.tier ? `${codeWords(route.tier)} of the tranche` : route.branch ? `Branch ${route.branch}` : null);

/** The same routes where nothing is reserved for them: what would be locked is possible. */
export const untaken = (routes) => routes.map((route) => (route.state === "locked" ? { ...route, state: "quoted" } : route));

/** The same routes after their receipt: a route that has ended may have come to nothing. */
export function told(routes, receipt) {
  const failed = new Set((receipt?.legs ?? []).filter((leg) => leg.error && leg.delivered_units === "0").map((leg) => leg.route_id));
  return routes.map((route) => (route.state === "completed" && failed.has(route.id) ? { ...route, state: "failed" } : route));
}

/** `acts(route)` gives buttons for a route, if any. */
export function candidates(routes, acts = () => []) {
  if (!routes.length) return h("p", { class: "muted" }, "No route yet.");
  return h("ul", { class: "candidates" }, ...routes.map((route) => one(route, acts(route))));
}

function one(route, buttons) {
  const why = (route.reasons ?? []).map((reason) => h("li", {}, h("strong", {}, codeWords(reason.code)), reason.detail ? `: ${reason.detail}` : "", reason.points ? ` (${reason.points > 0 ? "+" : ""}${reason.points})` : ""));
  return h(
    "li",
    { "data-route": route.id, "data-state": route.state },
    h(
      "div",
      { class: "head" },
      h("strong", {}, route.supplier),
      h("span", { class: `badge ${MARKS[route.state] ?? ""}` }, STATES[route.state] ?? route.state),
      h("span", { class: "muted" }, `${grouped(route.units)} units of `, shortId(route.right_id)),
      part(route) ? h("span", { class: "badge" }, part(route)) : null,
      route.fallbacks.length ? h("span", { class: "badge status-issued" }, `Fallback: ${route.fallbacks.map(codeWords).join(", ")}`) : null,
      h("span", { class: "score" }, `Score ${grouped(String(route.score))} of 10,000`),
      ...buttons,
    ),
    why.length ? h("details", { open: route.state === "refused" }, h("summary", {}, route.state === "refused" ? "Why not" : "Why this score"), h("ul", {}, ...why)) : null,
  );
}
