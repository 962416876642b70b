import assert from "node:assert/strict";
import { test } from "node:test";
import { adviceOf } from "../../../exchange/static/js/lib/advice.js";

const told = (...legs) => ({ legs });
const DONE = { error: null, retryable: false };
const AWAY = { error: "supplier_error: 500", retryable: true };
const ABOVE = { error: "above_reserved: it takes 120 tokens at least", retryable: false };

test("to send it again is said only where the venue says that it may help", () => {
  for (const receipt of [null, told(AWAY), told(DONE, AWAY)]) assert.match(adviceOf({ state: "settled", outcome: "failed" }, receipt), /^Send it again/);
  for (const receipt of [told(ABOVE), told(DONE, ABOVE), told(AWAY, ABOVE)]) assert.doesNotMatch(adviceOf({ state: "settled", outcome: "failed" }, receipt), /Send it again/);
});

test("what was too late or called off has its own advice, whatever its legs say", () => {
  assert.match(adviceOf({ state: "expired", outcome: null }, null), /later time/);
  assert.match(adviceOf({ state: "settled", outcome: "cancelled" }, told(ABOVE)), /can be sent again/);
});
