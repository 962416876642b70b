import assert from "node:assert/strict";
import { test } from "node:test";
import { depthColumns } from "../../../exchange/static/js/lib/depth_columns.js";

const level = (price, quantity) => [price, quantity, 1];

test("sums grow away from the best prices, lowest price first", () => {
  const book = { bids: [level("1.99", "2"), level("1.98", "3")], asks: [level("2.01", "4"), level("2.02", "1")] };
  assert.deepEqual(depthColumns(book), [[1.98, 1.99, 2.01, 2.02], [5, 2, null, null], [null, null, 4, 5]]);
});

test("one order far off does not make a line of all others", () => {
  const near = Array.from({ length: 9 }, (_, place) => level((2 + place / 100).toFixed(2), "1"));
  const [prices] = depthColumns({ bids: [level("1.99", "1")], asks: [...near, level("9.00", "3")] });
  assert.equal(Math.max(...prices), 2.08);
  assert.equal(prices.length, 10);
});

test("a book that is wide all over, or has one level a side, is drawn whole", () => {
  const wide = { bids: [], asks: Array.from({ length: 9 }, (_, place) => level(String(2 + place), "1")) };
  assert.equal(depthColumns(wide)[0].length, 9);
  assert.deepEqual(depthColumns({ bids: [level("1.00", "1")], asks: [level("9.00", "1")] })[0], [1, 9]);
});
