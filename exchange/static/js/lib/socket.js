// One connection to the venue's public socket: operations with answers, subscriptions that survive a lost line.

import { OutcomeUnknown, Problem } from "./problem.js";

const SILENCE_MS = 6000; // the venue says something every second; six silent ones mean the line is dead
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 15000;
const ANSWER_MS = 10000;
const RETRY_MS = 1500; // after a refusal that may pass, such as too many frames at once
const PRIVATE = new Set(["orders", "fills", "balances", "requests", "settlements"]);

/** Closing codes after which trying again by itself is pointless. */
const FINAL = new Map([
  [4001, "Your session has ended. Log in again."],
  [4003, "This session may not read that channel."],
  [4009, "Your session has ended. Log in again."],
]);

const systemTimer = {
  now: () => Date.now(),
  after: (ms, call) => setTimeout(call, ms),
  every: (ms, call) => setInterval(call, ms),
  cancel: (handle) => clearTimeout(handle),
};

/** A channel somebody reads. `lastSeq` is a private channel's place to resume from. */
class Subscription {
  constructor(args, reader) {
    this.args = args;
    this.reader = reader;
    this.key = `${args.channel}|${args.instrument ?? ""}`;
    this.resumable = PRIVATE.has(args.channel);
    this.lastSeq = null;
    this.live = false;
  }
}

/**
 * Fires `state` whenever `state` changes: "connecting" → "open" → "waiting" (with `retryAt`) → … or "ended" (with `reason`).
 * Readers of a subscription: {message(m), live(answer, resumed), lost(), refused(problem)}; all optional but message.
 */
export class VenueSocket extends EventTarget {
  constructor(url, { Socket = globalThis.WebSocket, timer = systemTimer, random = Math.random } = {}) {
    super();
    this.url = url;
    this.Socket = Socket;
    this.timer = timer;
    this.random = random;
    this.state = "idle";
    this.reason = "";
    this.retryAt = 0;
    this.failures = 0;
    this.lastHeard = 0;
    this.nextId = 1;
    this.pending = new Map();
    this.subscriptions = new Map();
    this.wire = null;
  }

  open() {
    if (this.wire || this.state === "ended") return;
    this.timer.cancel(this.retryTimer);
    this.become("connecting");
    const wire = new this.Socket(this.url);
    this.wire = wire;
    this.lastHeard = this.timer.now();
    wire.onopen = () => wire === this.wire && this.opened();
    wire.onmessage = (event) => wire === this.wire && this.heard(event.data);
    wire.onclose = (event) => wire === this.wire && this.closed(event.code ?? 1006);
    this.watch ??= this.timer.every(1000, () => this.watchSilence());
  }

  /** Try at once instead of waiting out the pause. */
  retryNow() {
    if (this.state === "waiting") this.open();
  }

  /** Send an operation; resolves to its result, or throws Problem (refused) or OutcomeUnknown (no answer). */
  request(op, args = {}) {
    if (this.state !== "open") return Promise.reject(new OutcomeUnknown("There is no connection to the venue."));
    const id = this.nextId;
    this.nextId += 1;
    return new Promise((resolve, reject) => {
      const expiry = this.timer.after(ANSWER_MS, () => {
        this.pending.delete(id);
        reject(new OutcomeUnknown("The venue has not answered in time."));
      });
      this.pending.set(id, { resolve, reject, expiry });
      this.wire.send(JSON.stringify({ op, id, args }));
    });
  }

  /** Read a channel from now on, across every reconnection, until the returned function is called. */
  subscribe(args, reader) {
    const subscription = new Subscription(args, reader);
    this.subscriptions.set(subscription.key, subscription);
    if (this.state === "open") this.start(subscription);
    return () => this.unsubscribe(subscription);
  }

  unsubscribe(subscription) {
    if (this.subscriptions.get(subscription.key) === subscription) this.subscriptions.delete(subscription.key);
    if (this.state === "open") this.request("unsubscribe", named(subscription)).catch(() => {});
  }

  /** Ask for a channel anew: a book starts from a snapshot, a private channel from its last sequence. */
  async restart(args) {
    const subscription = this.subscriptions.get(`${args.channel}|${args.instrument ?? ""}`);
    if (!subscription || this.state !== "open" || subscription.restarting) return;
    subscription.restarting = true;
    subscription.live = false;
    try {
      await this.request("unsubscribe", named(subscription)).catch(() => {});
      await this.start(subscription);
    } finally {
      subscription.restarting = false;
    }
  }

  wants(subscription) {
    return this.state === "open" && this.subscriptions.get(subscription.key) === subscription;
  }

  async start(subscription) {
    const resumed = subscription.resumable && subscription.lastSeq !== null;
    const args = resumed ? { ...subscription.args, from_seq: String(BigInt(subscription.lastSeq) + 1n) } : subscription.args;
    try {
      const answer = await this.request("subscribe", args);
      subscription.live = true;
      subscription.reader.live?.(answer, resumed);
    } catch (problem) {
      if (problem.code === "resync_required") {
        subscription.lastSeq = null;
        await this.start(subscription);
      } else if (problem instanceof Problem && problem.retryable) {
        this.timer.after(RETRY_MS, () => this.wants(subscription) && this.start(subscription));
      } else if (problem instanceof Problem) {
        subscription.reader.refused?.(problem);
      }
    }
  }

  opened() {
    this.become("open");
    for (const subscription of this.subscriptions.values()) this.start(subscription);
  }

  heard(text) {
    this.lastHeard = this.timer.now();
    this.failures = 0; // only a line that has spoken counts as good; one that opens and drops keeps backing off
    const message = JSON.parse(text);
    if (message.id !== undefined && this.pending.has(message.id)) this.answered(message);
    else if (message.type === "heartbeat") this.dispatchEvent(new CustomEvent("heartbeat", { detail: message }));
    else if (message.ch) this.deliver(message);
  }

  answered(message) {
    const waiting = this.pending.get(message.id);
    this.pending.delete(message.id);
    this.timer.cancel(waiting.expiry);
    if (message.ok) waiting.resolve(message.result);
    else waiting.reject(new Problem(message.error ?? {}));
  }

  deliver(message) {
    const subscription =
      this.subscriptions.get(`${message.ch}|${message.inst ?? ""}`) ?? this.subscriptions.get(`${message.ch}|`);
    if (!subscription) return;
    if (subscription.resumable && message.seq !== undefined) {
      const last = subscription.lastSeq;
      const seq = BigInt(message.seq);
      if (last !== null && seq <= BigInt(last)) return; // a replay may repeat what is known
      if (last !== null && message.type === "event" && BigInt(message.prev_seq ?? message.seq) > BigInt(last)) {
        this.restart(subscription.args); // a hole: ask again from the last that is known
        return;
      }
      subscription.lastSeq = String(message.seq);
    }
    subscription.reader.message(message);
  }

  closed(code) {
    this.wire = null;
    for (const waiting of this.pending.values()) {
      this.timer.cancel(waiting.expiry);
      waiting.reject(new OutcomeUnknown());
    }
    this.pending.clear();
    for (const subscription of this.subscriptions.values()) {
      subscription.live = false;
      subscription.reader.lost?.();
    }
    if (FINAL.has(code)) {
      this.reason = FINAL.get(code);
      this.become("ended");
      return;
    }
    this.failures += 1;
    // Doubling with full jitter, so that a venue coming back is not met by everybody at once.
    const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.failures, 6)) * (code === 4029 ? 2 : 1);
    const wait = FIRST_WAIT_MS / 2 + this.random() * ceiling;
    this.retryAt = this.timer.now() + wait;
    this.become("waiting");
    this.retryTimer = this.timer.after(wait, () => this.open());
  }

  watchSilence() {
    if (!this.wire || this.timer.now() - this.lastHeard < SILENCE_MS) return;
    const wire = this.wire;
    wire.onclose = null;
    wire.close();
    this.closed(1006);
  }

  become(state) {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: state }));
  }
}

function named(subscription) {
  const { channel, instrument } = subscription.args;
  return instrument === undefined ? { channel } : { channel, instrument };
}

/** Where this page's venue listens for sockets. */
export function socketUrl(place = globalThis.location) {
  return `${place.protocol === "https:" ? "wss" : "ws"}://${place.host}/ws/v1`;
}
