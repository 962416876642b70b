import assert from "node:assert/strict";
import { test } from "node:test";
import { expectedWords, perExpected, rateText } from "../../../exchange/static/js/lib/delivery.js";

test("a rate is written without needless digits", () => {
  assert.equal(rateText(10000), "100\u202f%");
  assert.equal(rateText(9850), "98.5\u202f%");
  assert.equal(rateText(7), "0.07\u202f%");
  assert.equal(rateText(0), "0\u202f%");
  assert.equal(rateText(null), "–");
});

test("a price by what may be expected is rounded up and keeps every digit", () => {
  assert.equal(perExpected("1.00", 8000), "1.25");
  assert.equal(perExpected("0.95", 8000), "1.19");
  assert.equal(perExpected("2.500", 10000), "2.500");
  assert.equal(perExpected("9007199254740993.01", 5000), "18014398509481986.02");
});

test("without a record there is no such price, nor where nothing is to be expected", () => {
  assert.equal(perExpected("1.00", null), null);
  assert.equal(perExpected("1.00", 0), null);
  assert.equal(perExpected("", 8000), null);
});

test("the words name the sample", () => {
  const told = { expected_delivery_bps: 8000, expected_delivery_lower_bps: 4901, expected_delivery_sample: 10 };
  assert.equal(expectedWords(told), "80\u202f% of 10 requests, at least 49.01\u202f%");
  assert.equal(expectedWords({ ...told, expected_delivery_sample: 1 }), "80\u202f% of 1 request, at least 49.01\u202f%");
  assert.equal(expectedWords({ expected_delivery_bps: null, expected_delivery_lower_bps: null, expected_delivery_sample: 0 }), "no record yet");
});
