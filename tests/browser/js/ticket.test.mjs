import assert from "node:assert/strict";
import { test } from "node:test";
import { affordable, mayPostOnly, notional, readOrder, shareOf, steppedLots, submitWords, unitsOf } from "../../../exchange/static/js/lib/order_fields.js";
import { placeOrder } from "../../../exchange/static/js/lib/placing.js";
import { OutcomeUnknown, Problem } from "../../../exchange/static/js/lib/problem.js";

const NOW = Date.parse("2026-11-30T00:00:00Z");
const INSTRUMENT = {
  symbol: "TXT-20261201T00-P1D",
  tick_size: "0.05",
  min_quantity: "1",
  max_quantity: "1000",
  collar: { low: "0.50", high: "50.00" },
  gate_closes_at: "2026-12-01T23:45:00.000000Z",
};
const FORM = { side: "buy", type: "limit", quantity: "3", price: "1.25", tif: "gtg", expires: "", postOnly: false, slide: false, selfTrade: "cancel_newest" };

const read = (changes) => readOrder({ ...FORM, ...changes }, INSTRUMENT, NOW);

test("a plain limit order", () => {
  assert.deepEqual(read({}).order, {
    instrument: "TXT-20261201T00-P1D", side: "buy", type: "limit", quantity: "3", price: "1.25", time_in_force: "gtg",
  });
});

test("a market order has no price and no post-only, and is immediate", () => {
  assert.deepEqual(read({ type: "market", postOnly: true, price: "x" }).order, {
    instrument: "TXT-20261201T00-P1D", side: "buy", type: "market", quantity: "3", time_in_force: "ioc",
  });
  assert.equal(read({ type: "market", tif: "fok" }).order.time_in_force, "fok");
});

test("every wrong field is named at once", () => {
  const { order, problems } = read({ quantity: "1.5", price: "1.26", tif: "gtd", expires: "2026-11-29T00:00" });
  assert.equal(order, null);
  assert.deepEqual(Object.keys(problems).sort(), ["expire_time", "price", "quantity"]);
});

test("the button says what is good of an order, and no more", () => {
  const said = (changes) => submitWords({ ...FORM, ...changes }, read(changes).problems);
  assert.equal(said({}), "Buy 3 lots at 1.25");
  assert.equal(said({ side: "sell", quantity: "1,000", type: "market" }), "Sell 1,000 lots at market");
  assert.equal(said({ quantity: "1", price: "1.26" }), "Buy 1 lot");
  for (const quantity of ["", "-3", "0", "1.5", "1001"]) assert.equal(said({ quantity }), "Buy", quantity);
});

test("limits, ticks and the collar hold", () => {
  for (const quantity of ["", "0", "-1", "1e3", "1001", "٣"]) assert.ok(read({ quantity }).problems.quantity, quantity);
  for (const price of ["", "0", "0.00", "1.2.3", "0.45", "50.05", "1e1", "NaN"]) assert.ok(read({ price }).problems.price, price);
  assert.equal(read({ quantity: "1,000", price: " 50.00 " }).order.quantity, "1000");
});

test("good till a time is sent as UTC, before the gate", () => {
  assert.equal(read({ tif: "gtd", expires: "2026-12-01T12:30" }).order.expire_time, "2026-12-01T12:30:00.000000Z");
  assert.ok(read({ tif: "gtd", expires: "2026-12-02T12:30" }).problems.expire_time);
});

test("post-only is for orders that may rest", () => {
  assert.equal(mayPostOnly({ ...FORM, tif: "ioc" }), false);
  assert.deepEqual([read({ postOnly: true, slide: true }).order.post_only_action, read({ postOnly: true }).order.post_only_action], ["slide", undefined]);
});

test("sums are exact, and the most one can buy leaves room for the fee", () => {
  assert.equal(notional("0.10", "3"), "0.30");
  assert.equal(notional("", "3"), null);
  assert.equal(affordable("100.00", "10.00", 0), 10n);
  assert.equal(affordable("100.00", "10.00", 10), 9n);
  assert.equal(affordable("100000000000.00", "0.000001", 0), 100000000000000000n);
  assert.equal(shareOf(9n, 50), 4n);
  assert.equal(shareOf(1n, 25), 1n);
  assert.equal(unitsOf("12", "1000000"), "12000000");
  assert.equal(steppedLots("", 1), "1");
  assert.equal(steppedLots("1,000", -10), "990");
  assert.equal(steppedLots("2", -10), "1");
});

test("an order whose answer was lost is sent again as it was, once known it is done", async () => {
  const sent = [];
  const venue = { state: "open", request: async () => { throw new OutcomeUnknown(); } };
  const api = { post: async (path, body) => { sent.push(body); if (sent.length < 3) throw new OutcomeUnknown(); return { id: "ord_1", replayed: true }; } };
  let unsure = 0;
  const order = { quantity: "1", client_order_id: "web-1" };
  const answer = await placeOrder(venue, order, { api, wait: async () => {}, unsure: () => { unsure += 1; } });
  assert.equal(answer.id, "ord_1");
  assert.equal(unsure, 1);
  assert.deepEqual(sent, [order, order, order]);
});

for (const status of [500, 502, 503, 504]) {
  test(`a failure of the venue's own (${status}) says nothing about the order`, async () => {
    const failing = async () => { throw new Problem({ title: "no" }, status); };
    const asked = [];
    const api = { post: async (path, body) => { asked.push(body); if (asked.length < 2) return failing(); return { id: "ord_1", replayed: true }; } };
    const answer = await placeOrder({ state: "open", request: failing }, { quantity: "1" }, { api, wait: async () => {} });
    assert.deepEqual([answer.id, asked.length], ["ord_1", 2]);
    const never = placeOrder({ state: "open", request: failing }, {}, { api: { post: failing }, wait: async () => {} });
    await assert.rejects(never, (problem) => problem.code === "outcome_unknown");
  });
}

test("a refusal is final and is not asked again", async () => {
  const venue = { state: "open", request: async () => { throw new Problem({ code: "insufficient_funds", detail: "no" }); } };
  const api = { post: async () => assert.fail("asked again") };
  await assert.rejects(placeOrder(venue, {}, { api }), (problem) => problem.code === "insufficient_funds");
});
