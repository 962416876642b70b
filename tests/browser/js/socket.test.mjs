import assert from "node:assert/strict";
import { test } from "node:test";
import { OutcomeUnknown } from "../../../exchange/static/js/lib/problem.js";
import { VenueSocket } from "../../../exchange/static/js/lib/socket.js";

/** A line that answers when told to, and a clock that moves when told to. */
class Line {
  static opened = [];
  constructor() {
    this.sent = [];
    Line.opened.push(this);
  }
  send(text) {
    this.sent.push(JSON.parse(text));
  }
  close() {}
  say(message) {
    this.onmessage({ data: JSON.stringify(message) });
  }
  last(op) {
    return this.sent.findLast((message) => message.op === op);
  }
}

class Clock {
  constructor() {
    this.time = 0;
    this.jobs = [];
  }
  now = () => this.time;
  after = (ms, call) => this.add({ at: this.time + ms, call });
  every = (ms, call) => this.add({ at: this.time + ms, call, every: ms });
  cancel = (job) => {
    this.jobs = this.jobs.filter((other) => other !== job);
  };
  add(job) {
    this.jobs.push(job);
    return job;
  }
  move(ms) {
    const end = this.time + ms;
    for (;;) {
      const due = this.jobs.filter((job) => job.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.time = due.at;
      if (due.every) due.at += due.every;
      else this.cancel(due);
      due.call();
    }
    this.time = end;
  }
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

function connected() {
  Line.opened = [];
  const clock = new Clock();
  const socket = new VenueSocket("ws://venue/ws/v1", { Socket: Line, timer: clock, random: () => 1 });
  socket.open();
  Line.opened[0].onopen();
  return { socket, clock, line: Line.opened[0] };
}

test("an operation resolves to its result or throws the venue's refusal", async () => {
  const { socket, line } = connected();
  const good = socket.request("ping");
  line.say({ id: line.last("ping").id, ok: true, result: { pong: true } });
  assert.deepEqual(await good, { pong: true });
  const bad = socket.request("place", {});
  line.say({ id: line.last("place").id, ok: false, error: { code: "tick_size", detail: "no", field_errors: [{ field: "price", detail: "off tick" }] } });
  await assert.rejects(bad, (problem) => problem.code === "tick_size" && problem.fieldErrors[0].field === "price");
});

test("an operation in flight when the line breaks has an unknown outcome", async () => {
  const { socket, line } = connected();
  const placed = socket.request("place", {});
  line.onclose({ code: 1006 });
  await assert.rejects(placed, OutcomeUnknown);
  await assert.rejects(socket.request("ping"), OutcomeUnknown);
});

test("a private channel resumes from its last sequence, once each", async () => {
  const { socket, clock, line } = connected();
  const seen = [];
  socket.subscribe({ channel: "orders" }, { message: (message) => seen.push(message.seq) });
  assert.deepEqual(line.last("subscribe").args, { channel: "orders" });
  line.say({ id: line.last("subscribe").id, ok: true, result: {} });
  line.say({ ch: "orders", type: "event", seq: "5", prev_seq: "4", data: {} });
  line.say({ ch: "orders", type: "event", seq: "6", prev_seq: "5", data: {} });
  line.onclose({ code: 1006 });
  assert.equal(socket.state, "waiting");
  clock.move(2000);
  const again = Line.opened[1];
  again.onopen();
  assert.deepEqual(again.last("subscribe").args, { channel: "orders", from_seq: "7" });
  again.say({ ch: "orders", type: "event", seq: "6", prev_seq: "5", data: {} });
  again.say({ ch: "orders", type: "event", seq: "7", prev_seq: "6", data: {} });
  assert.deepEqual(seen, ["5", "6", "7"]);
  await settle();
});

for (const channel of ["fills", "requests", "settlements"]) test(`a hole in ${channel} is asked for again, not jumped`, async () => {
  const { socket, line } = connected();
  const seen = [];
  socket.subscribe({ channel }, { message: (message) => seen.push(message.seq) });
  line.say({ ch: channel, type: "event", seq: "1", prev_seq: "0", data: {} });
  line.say({ ch: channel, type: "event", seq: "3", prev_seq: "2", data: {} });
  assert.deepEqual(seen, ["1"]);
  line.say({ id: line.last("unsubscribe").id, ok: true, result: {} });
  await settle();
  assert.deepEqual(line.last("subscribe").args, { channel, from_seq: "2" });
});

test("resync_required starts the channel afresh and says it was not resumed", async () => {
  const { socket, clock, line } = connected();
  const lives = [];
  socket.subscribe({ channel: "orders" }, { message: () => {}, live: (_, resumed) => lives.push(resumed) });
  line.say({ id: line.last("subscribe").id, ok: true, result: {} });
  line.say({ ch: "orders", type: "event", seq: "5", prev_seq: "4", data: {} });
  await settle();
  line.onclose({ code: 1006 });
  clock.move(2000);
  const again = Line.opened[1];
  again.onopen();
  again.say({ id: again.last("subscribe").id, ok: false, error: { code: "resync_required" } });
  await settle();
  assert.deepEqual(again.last("subscribe").args, { channel: "orders" });
  again.say({ id: again.last("subscribe").id, ok: true, result: {} });
  await settle();
  assert.deepEqual(lives, [false, false]);
});

test("silence is a dead line; the pause before the next try grows and is bounded", () => {
  const { socket, clock } = connected();
  clock.move(6000);
  assert.equal(socket.state, "waiting");
  const waits = [];
  for (let i = 0; i < 8; i += 1) {
    waits.push(socket.retryAt - clock.time);
    clock.move(socket.retryAt - clock.time);
    Line.opened.at(-1).onclose({ code: 1006 });
  }
  assert.ok(waits[1] > waits[0]);
  assert.ok(Math.max(...waits) <= 15200);
});

test("a session's end is final", () => {
  const { socket, line, clock } = connected();
  line.onclose({ code: 4001 });
  assert.equal(socket.state, "ended");
  clock.move(60000);
  assert.equal(Line.opened.length, 1);
});
