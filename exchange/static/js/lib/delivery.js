// What may be expected to be delivered: rates in basis points as the venue tells them, and prices by them. Whole numbers only.

import { decimalsOf, fixed, scaled } from "./decimal.js";

const WHOLE = 10000n;

/** 9850 is "98.5 %"; null is "–". */
export function rateText(bps) {
  if (bps === null || bps === undefined) return "–";
  return `${fixed(BigInt(bps), 2).replace(/\.?0+$/, "")}\u202f%`;
}

/** What a lot at `price` costs for each lot that may be expected: rounded up, in the price's decimals. Null without a record, or where nothing is to be expected. */
export function perExpected(price, bps) {
  if (!price || !bps) return null;
  const scale = decimalsOf(price);
  const rate = BigInt(bps);
  return fixed((scaled(price, scale) * WHOLE + rate - 1n) / rate, scale);
}

/** "98.5 % of 104 requests, at least 94.7 %"; "no record yet". `told` is anything that has the three fields. */
export function expectedWords(told) {
  const { expected_delivery_bps: bps, expected_delivery_lower_bps: lower, expected_delivery_sample: sample } = told;
  if (!sample) return "no record yet";
  return `${rateText(bps)} of ${sample} ${sample === 1 ? "request" : "requests"}, at least ${rateText(lower)}`;
}
