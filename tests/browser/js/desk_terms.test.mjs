// Manifests as forms: what a person types becomes exactly the JSON that was meant, and comes back as it was.

import assert from "node:assert/strict";
import { test } from "node:test";

import { at, digits, jsonOf, listOf, momentOf, put, textOf } from "../../../exchange/static/js/lib/desk_terms.js";

const said = (kind, value) => jsonOf(kind, { value });

test("digits lose what people put between them, and nothing else", () => {
  assert.equal(digits(" 1,000 000\u202f000 "), "1000000000");
  assert.equal(digits("1.5"), "1.5");
  assert.equal(digits("-1,000"), "-1000");
  assert.equal(digits("a, b"), "a, b");
});

test("units stay texts, however large; what is no number goes to the venue as it stands", () => {
  assert.equal(said("units", "9,223,372,036,854,775,807"), "9223372036854775807");
  assert.equal(said("maybe-units", "many"), "many");
  assert.equal(said("maybe-units", "  "), undefined);
});

test("counts are numbers, or what was typed", () => {
  assert.equal(said("count", "1,000"), 1000);
  assert.equal(said("maybe-span", "3600"), 3600);
  assert.equal(said("count", "1e3"), "1e3");
  assert.equal(said("count", "9".repeat(20)), "9".repeat(20));
});

test("lists, and lists that may be anything", () => {
  assert.deepEqual(listOf(" chat, ,vision ,"), ["chat", "vision"]);
  assert.deepEqual(said("list", ""), []);
  assert.equal(said("any", " "), "any");
  assert.deepEqual(said("any", "DE, FR"), ["DE", "FR"]);
});

test("moments are UTC", () => {
  assert.equal(momentOf("2026-12-01T00:00"), "2026-12-01T00:00:00Z");
  assert.equal(momentOf("2026-12-01T00:00:07"), "2026-12-01T00:00:07Z");
  assert.equal(momentOf(""), undefined);
});

test("what is shown says the same again", () => {
  for (const [kind, value] of [["units", "12"], ["list", ["chat", "vision"]], ["any", "any"], ["any", ["DE"]], ["moment", "2026-12-01T00:00:00Z"], ["count", 5], ["choice", "high"]]) {
    assert.deepEqual(said(kind, textOf(kind, value)), value, kind);
  }
  assert.equal(textOf("moment", "2026-12-01T00:00:00.000000Z"), "2026-12-01T00:00");
  assert.equal(textOf("maybe-count", null), "");
});

test("a flag says yes and no", () => {
  assert.equal(jsonOf("flag", { checked: true }), true);
  assert.equal(jsonOf("flag", { checked: false }), false);
});

test("values are put at their path, and what says nothing leaves no trace", () => {
  const document = { window: { mode: "fixed" } };
  put(document, "window.start", "x");
  put(document, "resource.amount", "1");
  put(document, "limits.max_burst", undefined);
  put(document, "window.mode", undefined);
  assert.deepEqual(document, { window: { start: "x" }, resource: { amount: "1" } });
  assert.equal(at(document, "window.start"), "x");
  assert.equal(at(document, "limits.max_burst"), undefined);
});
