// What a package may be made of, checked while it is typed. The venue checks the same again, and decides.

import { grouped } from "./decimal.js";

const WHOLE = /^[1-9][0-9]{0,18}$/;
const most = (a, b) => b !== null && b !== undefined && BigInt(a) > BigInt(b);
const fewer = (a, b) => BigInt(a) < BigInt(b ?? 0);
const outside = (stated, allowed) => Array.isArray(allowed) && stated.some((word) => !allowed.includes(word));
const without = (stated, needed) => (needed ?? []).some((word) => !stated.includes(word));

/** Field → whether what is stated is looser than what a component's policy has. What only ever tightens is not listed. */
const LOOSER = {
  min_hold_seconds: fewer,
  transfer_cutoff_seconds: fewer,
  min_transfer_units: fewer,
  max_holders: most,
  max_units_per_holder: most,
  lockup_until: (stated, has) => Boolean(has) && Date.parse(stated) < Date.parse(has),
  eligible_holder_types: outside,
  eligible_jurisdictions: outside,
  venue_allow: outside,
  required_attestations: without,
  denied_holders: without,
  venue_deny: without,
};

const said = (value) => (Array.isArray(value) ? value.join(", ") : String(value));

/** What a package's policy states looser than a component has it: [{field, detail}]. `components`: rights of the API. */
export function loosened(policy, components) {
  const faults = [];
  for (const [field, stated] of Object.entries(policy)) {
    const rule = LOOSER[field];
    const stricter = rule ? components.find((right) => rule(stated, right.transfer_policy?.[field])) : null;
    if (stricter) faults.push({ field: `policy.${field}`, detail: `looser than …${stricter.id.slice(-17)} has it (${said(stricter.transfer_policy[field])}); a package only tightens` });
  }
  return faults;
}

export const isWhole = (text) => WHOLE.test(text);
export const freeUnits = (right) => (BigInt(right.remaining_amount) - BigInt(right.reserved_amount)).toString();

/** What is wrong with the parts: [{field, detail}], with the field "parts" for what concerns all of them. `parts`: [{right, units, tier, branch}]. */
export function partFaults(kind, parts) {
  const faults = [];
  if (!parts.length) faults.push({ field: "parts", detail: "choose units of at least one right" });
  if (parts.length > 100) faults.push({ field: "parts", detail: "a package has at most 100 parts" });
  if (kind === "slice" && parts.length > 1) faults.push({ field: "parts", detail: "a slice is a part of one right" });
  parts.forEach(({ right, units, tier, branch }, place) => {
    const free = freeUnits(right);
    if (!isWhole(units)) faults.push({ field: `parts.${place}.units`, detail: "whole units only, 1 or more" });
    else if (BigInt(units) > BigInt(free)) faults.push({ field: `parts.${place}.units`, detail: `only ${grouped(free)} are free` });
    if (kind === "tranche" && !tier) faults.push({ field: `parts.${place}.tier`, detail: "baseline or overflow" });
    if (kind === "strategy" && !branch) faults.push({ field: `parts.${place}.branch`, detail: "name its branch" });
  });
  if (kind === "tranche" && parts.length && !parts.some((part) => part.tier === "baseline")) faults.push({ field: "parts", detail: "a tranche has a baseline" });
  return faults;
}

/** What a part's own right will have against moving so few: [{place, detail}]. It may be in a package all the same. */
export function partNotes(parts) {
  return parts.flatMap(({ right, units }, place) => {
    if (!isWhole(units)) return [];
    const { min_transfer_units: least, splittable } = right.transfer_policy ?? {};
    if (least && BigInt(units) < BigInt(least)) return [{ place, detail: `Its terms let no fewer than ${grouped(least)} move: the package could not change hands.` }];
    if (splittable === false && BigInt(units) < BigInt(right.remaining_amount)) return [{ place, detail: "Its terms forbid a split: the package could not change hands." }];
    return [];
  });
}

/** A right of a package that is being changed: what the package has of it is free for the package itself. */
export const asIfOut = (right, units) => ({ ...right, reserved_amount: (BigInt(right.reserved_amount) - BigInt(units)).toString() });

/** What is wrong with taking units out of a package's parts: [{field, detail}]. `parts`: all it has; `taken`: [{right_id, units}]. */
export function splitFaults(parts, taken) {
  if (!taken.length) return [{ field: "parts", detail: "take units of at least one right" }];
  const has = new Map(parts.map((part) => [part.right_id, BigInt(part.units)]));
  const faults = taken.flatMap(({ right_id: right, units }, place) => {
    if (!isWhole(units)) return [{ field: `parts.${place}.units`, detail: "whole units only, 1 or more" }];
    return BigInt(units) > has.get(right) ? [{ field: `parts.${place}.units`, detail: `only ${grouped(has.get(right).toString())} are in it` }] : [];
  });
  const all = taken.length === parts.length && taken.every(({ right_id: right, units }) => isWhole(units) && BigInt(units) === has.get(right));
  return all ? [{ field: "parts", detail: "something has to stay in the package" }] : faults;
}

/** In the order they are drawn from: a tranche's baseline before its overflow. */
export function drawn(kind, parts) {
  return kind === "tranche" ? [...parts].sort((a, b) => (a.tier === b.tier ? 0 : a.tier === "baseline" ? -1 : 1)) : parts;
}

/** Units by what they count in: [["tokens", "4000000"], …]. What is no whole number counts as nothing. */
export function sumsOf(parts) {
  const sums = new Map();
  for (const { right, units } of parts) {
    const { unit } = right.resource;
    if (isWhole(units)) sums.set(unit, (sums.get(unit) ?? 0n) + BigInt(units));
  }
  return [...sums].map(([unit, sum]) => [unit, sum.toString()]);
}
