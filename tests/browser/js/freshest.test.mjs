import assert from "node:assert/strict";
import { test } from "node:test";
import { Freshest } from "../../../exchange/static/js/lib/freshest.js";

/** Timers that go off when told, and questions that are answered when told. */
function scene() {
  const waiting = new Map();
  const asked = [];
  const shown = [];
  let made = 0;
  const timers = {
    set: (act, ms) => {
      made += 1;
      waiting.set(made, { act, ms });
      return made;
    },
    clear: (timer) => waiting.delete(timer),
  };
  const ask = async (signal) => {
    const answer = await new Promise((resolve) => asked.push(resolve));
    if (!signal.aborted) shown.push(answer);
  };
  const tick = () => {
    const [[timer, { act, ms }]] = waiting;
    waiting.delete(timer);
    act();
    return ms;
  };
  const hear = async (number, answer) => {
    asked[number](answer);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { freshest: new Freshest(ask, { soonMs: 1, againMs: 9, timers }), waiting, asked, shown, tick, hear };
}

test("typing asks once, when it has come to rest", () => {
  const { freshest, waiting, asked, tick } = scene();
  freshest.changed();
  freshest.changed();
  assert.equal(waiting.size, 1);
  assert.equal(tick(), 1);
  assert.equal(asked.length, 1);
});

test("an answer to an older question never comes after the newer one's", async () => {
  const { freshest, shown, tick, hear } = scene();
  freshest.changed();
  tick();
  freshest.changed();
  tick();
  await hear(1, "new");
  await hear(0, "old");
  assert.deepEqual(shown, ["new"]);
});

test("what moves is asked about again, once for all that moved", async () => {
  const { freshest, waiting, shown, tick, hear } = scene();
  freshest.changed();
  tick();
  await hear(0, "then");
  assert.equal(waiting.size, 0);
  for (let moves = 0; moves < 5; moves += 1) freshest.moved();
  assert.equal(waiting.size, 1);
  assert.equal(tick(), 9);
  await hear(1, "now");
  assert.deepEqual(shown, ["then", "now"]);
});

test("what moves while the answer is on its way is asked about after it", async () => {
  const { freshest, waiting, shown, tick, hear } = scene();
  freshest.changed();
  tick();
  freshest.moved();
  assert.equal(waiting.size, 0);
  await hear(0, "then");
  assert.equal(tick(), 9);
  await hear(1, "now");
  assert.deepEqual(shown, ["then", "now"]);
  assert.equal(waiting.size, 0);
});

test("a question that changed does not wait for what moved", async () => {
  const { freshest, waiting, tick, shown, hear } = scene();
  freshest.moved();
  freshest.changed();
  assert.equal(waiting.size, 1);
  assert.equal(tick(), 1);
  freshest.moved();
  freshest.changed();
  assert.equal(tick(), 1);
  await hear(0, "old");
  await hear(1, "new");
  assert.deepEqual(shown, ["new"]);
  assert.equal(waiting.size, 0);
});
