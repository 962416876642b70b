import assert from "node:assert/strict";
import { test } from "node:test";
import * as decimal from "../../../exchange/static/js/lib/decimal.js";

test("a decimal beyond 2^53 keeps every digit", () => {
  assert.equal(decimal.add("9007199254740993.000001", "0.000001"), "9007199254740993.000002");
  assert.equal(decimal.multiply("9007199254740993", "3"), "27021597764222979");
});

test("arithmetic aligns decimals", () => {
  assert.equal(decimal.subtract("1.5", "0.25"), "1.25");
  assert.equal(decimal.subtract("0.25", "1.5"), "-1.25");
  assert.equal(decimal.compare("1.50", "1.5"), 0);
  assert.equal(decimal.compare("-0.1", "0"), -1);
  assert.equal(decimal.multiply("1.25", "12"), "15.00");
  assert.equal(decimal.wholeTimes("100.00", "3.10"), 32n);
});

test("stepping a price stays on tick and above zero", () => {
  assert.equal(decimal.stepped("1.25", "0.05", 1, 2), "1.30");
  assert.equal(decimal.stepped("1.27", "0.05", -1, 2), "1.25");
  assert.equal(decimal.stepped("1.27", "0.05", 1, 2), "1.30");
  assert.equal(decimal.stepped("0.05", "0.05", -3, 2), "0.05");
  assert.equal(decimal.stepped("1", "0.0001", 10, 4), "1.0010");
  assert.equal(decimal.onTick("1.25", "0.05"), true);
  assert.equal(decimal.onTick("1.26", "0.05"), false);
});

test("texts that are no plain decimals are refused", () => {
  for (const text of ["", " 1", "1e3", "1_0", "0x1", "1.", ".5", "+1", "٣", "NaN"]) assert.equal(decimal.scaled(text, 6), null);
  assert.equal(decimal.scaled("1.001", 2), null);
});

test("numbers are written for reading", () => {
  assert.equal(decimal.grouped("1234567.500"), "1,234,567.500");
  assert.equal(decimal.grouped("999"), "999");
  assert.equal(decimal.trimmed("1.230000"), "1.23");
  assert.equal(decimal.trimmed("1.000000"), "1.00");
  assert.equal(decimal.compact("12500000"), "12.5\u202fM");
  assert.equal(decimal.compact("3000000000"), "3\u202fB");
  assert.equal(decimal.compact("999999"), "999,999");
});
