// One question that is asked again and again, as it changes and as the world does: an older answer never comes after a newer one.

export class Freshest {
  /** `ask(signal)` asks and shows what it hears, unless the signal was aborted meanwhile; it never throws. */
  constructor(ask, { soonMs, againMs, timers = { set: (act, ms) => setTimeout(act, ms), clear: (timer) => clearTimeout(timer) } }) {
    Object.assign(this, { ask, soonMs, againMs, timers });
    this.timer = null;
    this.turn = null; // of what is being asked
    this.stale = false; // something moved while it was asked
  }

  /** The question is another one: what was asked before counts no more. */
  changed() {
    this.turn?.abort();
    this.turn = null;
    this.stale = false;
    this.wait(this.soonMs);
  }

  /** The same question may have another answer now: ask once more in a while, however much moves until then. */
  moved() {
    if (this.turn) this.stale = true;
    else if (this.timer === null) this.wait(this.againMs);
  }

  wait(ms) {
    if (this.timer !== null) this.timers.clear(this.timer);
    this.timer = this.timers.set(() => this.run(), ms);
  }

  async run() {
    this.timer = null;
    const turn = new AbortController();
    this.turn = turn;
    await this.ask(turn.signal);
    if (this.turn !== turn) return;
    this.turn = null;
    if (this.stale) this.wait(this.againMs);
    this.stale = false;
  }
}
