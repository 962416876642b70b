// The connection light: whether this page's book is the venue's, proven at every message.

import { define, h, Part, setText } from "../lib/dom.js";

const WORDS = {
  proven: "Book proven",
  live: "Live",
  connecting: "Connecting",
  resyncing: "Resyncing",
  waiting: "Disconnected",
  ended: "Signed out",
};

class Connection extends Part {
  connect({ venue, market }) {
    this.venue = venue;
    this.market = market;
    this.word = h("span", { class: "word" });
    this.proof = h("span", { class: "proof" });
    this.spoken = h("span", { class: "sr-only", role: "status" });
    this.again = h("button", { class: "button quiet small", type: "button", hidden: true, onclick: () => this.retry() }, "Retry");
    this.replaceChildren(h("span", { class: "lamp" }), this.word, this.proof, this.again, this.spoken);
    venue.addEventListener("state", () => this.changed());
    market?.addEventListener("proof", () => this.changed());
    setInterval(() => venue.state === "waiting" && this.changed(), 1000);
    this.changed();
  }

  retry() {
    if (this.venue.state === "ended") location.assign(`/login?next=${encodeURIComponent(location.pathname)}`);
    else this.venue.retryNow();
  }

  get state() {
    if (this.venue.state === "waiting" || this.venue.state === "ended") return this.venue.state;
    if (this.venue.state !== "open") return "connecting";
    if (!this.market) return "live";
    return this.market.proof.state === "proven" ? "proven" : "resyncing";
  }

  draw() {
    const { state } = this;
    const before = this.dataset.state;
    this.dataset.state = state;
    setText(this.word, WORDS[state]);
    setText(this.proof, this.detail(state));
    this.again.hidden = state !== "waiting" && state !== "ended";
    setText(this.again, state === "ended" ? "Log in" : "Retry");
    this.title = this.explanation(state);
    if (before && before !== state && ![before, state].every((each) => each === "connecting" || each === "resyncing")) {
      setText(this.spoken, WORDS[state]);
    }
  }

  detail(state) {
    if (state === "proven") return `seq ${this.market.book.seq} · ${this.market.book.checksum.toString(16).padStart(8, "0")}`;
    if (state === "waiting") return `retry in ${Math.max(0, Math.ceil((this.venue.retryAt - Date.now()) / 1000))} s`;
    if (state === "ended") return this.venue.reason;
    return "";
  }

  explanation(state) {
    if (state === "proven") {
      const { proven, resyncs } = this.market.proof;
      return (
        `This page rebuilt the book from the venue's messages and found the venue's checksum ${this.market.book.checksum} ` +
        `at each of ${proven} messages${resyncs ? `; it had to start again ${resyncs} times` : ""}.`
      );
    }
    if (state === "resyncing") return this.market?.proof.why ?? "Waiting for a snapshot of the book.";
    return "";
  }
}

define("sx-connection", Connection);
