// Placing an order so that it happens once, whatever happens to the line: the order carries its own id, and an
// outcome that was not heard is asked for with the very same order until the venue says what became of it.

import * as rest from "./api.js";
import { OutcomeUnknown, Problem } from "./problem.js";

const PAUSES_MS = [300, 700, 1500, 3000, 6000, 12000];

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Place `order` (with its client_order_id). Resolves to the order's answer; throws Problem when it was refused and
 * OutcomeUnknown when nobody could be asked for half a minute. `unsure` is called once the outcome has to be asked for.
 */
export async function placeOrder(venue, order, { unsure = () => {}, api = rest, wait = pause } = {}) {
  try {
    return venue.state === "open" ? await venue.request("place", order) : await api.post("/orders", order);
  } catch (failure) {
    if (!unheard(failure)) throw failure;
    unsure();
  }
  for (const ms of PAUSES_MS) {
    await wait(ms);
    try {
      return await api.post("/orders", order);
    } catch (failure) {
      if (!unheard(failure)) throw failure;
    }
  }
  throw new OutcomeUnknown("The venue could not be asked what became of this order. Look at your open orders before you repeat it.");
}

/** A failure of the venue's own, or of whoever stands before it (5xx), says no more than a broken line does. */
function unheard(failure) {
  return failure instanceof OutcomeUnknown || (failure instanceof Problem && failure.status >= 500);
}
