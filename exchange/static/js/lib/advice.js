// What can be done once a request came to nothing. Pure.

const ADVICE = {
  again: "Send it again: the router passes over a supplier that keeps failing. A route can also be chosen, or other suppliers named, when it is sent.",
  failed: "It failed for what was asked, and would again as it is: ask for less or something else, or let more units be reserved for it.",
  expired: "Send it again with a later time to be done by, while the right's window is open.",
  cancelled: "It can be sent again while the right's window is open.",
};

/** Of a request that came to nothing, with its receipt if there is one: whether the same may succeed later is the venue's word. */
export function adviceOf({ state, outcome }, receipt) {
  const ended = outcome ?? state;
  if (ended !== "failed") return ADVICE[ended];
  const failed = (receipt?.legs ?? []).filter((leg) => leg.error);
  return failed.some((leg) => !leg.retryable) ? ADVICE.failed : ADVICE.again;
}
