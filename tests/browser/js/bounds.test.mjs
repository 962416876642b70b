import assert from "node:assert/strict";
import { test } from "node:test";
import { boundName, boundText } from "../../../exchange/static/js/lib/bounds.js";
import { faultWords } from "../../../exchange/static/js/lib/words.js";

test("bounds are read in words, and what is not known by its code", () => {
  assert.equal(boundName("latest_at"), "Done by");
  assert.equal(boundName("something_new"), "Something new");
  assert.equal(boundText("max_quality_loss_bps", "250"), "2.5\u202f%");
  assert.equal(boundText("max_units", "1200000"), "1,200,000");
  assert.match(boundText("latest_at", "2026-11-26T20:00:00Z"), /^26 Nov( 2026)? 20:00 UTC$/);
  assert.equal(boundText("fallbacks", "substitute_providers, lower_priority"), "substitute providers, lower priority");
  for (const value of ["any", "none", "json-mode, tool-use", "my_supplier"]) assert.equal(boundText("providers", value), value);
});

test("a fault begins with its code in words", () => {
  assert.equal(faultWords("above_reserved: it took 9 tokens"), "Above reserved: it took 9 tokens");
  assert.equal(faultWords("executor_lost"), "Executor lost");
  for (const fault of ["no node answered in time", "GPU_7: too hot"]) assert.equal(faultWords(fault), fault);
});
