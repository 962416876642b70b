// The venue's clock, as far as this machine's own can be corrected to it.

import { get } from "./api.js";

let offset = 0;

/** Milliseconds since the epoch on the venue's clock. */
export function venueNow() {
  return Date.now() + offset;
}

/** Measure the difference once: the venue's answer is taken to be half a round trip old. */
export async function measure() {
  try {
    const before = Date.now();
    const answer = await get("/time");
    const after = Date.now();
    const said = Date.parse(answer.time);
    if (Number.isFinite(said)) offset = said - (before + after) / 2;
  } catch {
    // This machine's own clock will do.
  }
}
