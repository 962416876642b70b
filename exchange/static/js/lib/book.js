// A copy of the venue's order book, rebuilt from a snapshot and deltas, that can prove itself.

import { crc32 } from "./crc32.js";

export const CHECKSUM_DEPTH = 10;

function digits(text) {
  return text.replace(".", "").replace(/^0+/, "");
}

/** The venue's checksum over levels [price, quantity, …], best first on each side. */
export function checksum(bids, asks) {
  let text = "";
  for (const side of [asks, bids]) {
    for (const [price, quantity] of side.slice(0, CHECKSUM_DEPTH)) text += digits(price) + digits(quantity);
  }
  return crc32(text);
}

// All prices of one instrument have the same number of decimals, so their digits alone order them.
function rank(price) {
  return BigInt(price.replace(".", ""));
}

class Side {
  constructor(descending) {
    this.descending = descending;
    this.clear();
  }

  clear() {
    this.ranks = [];
    this.levels = [];
  }

  /** Where a price stands, or would stand, best first. */
  find(value) {
    let low = 0;
    let high = this.ranks.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const before = this.descending ? this.ranks[middle] > value : this.ranks[middle] < value;
      if (before) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Set a level's absolute size; "0" takes the level away. */
  set(level) {
    const value = rank(level[0]);
    const at = this.find(value);
    const known = this.ranks[at] === value;
    if (level[1] === "0") {
      if (!known) return;
      this.ranks.splice(at, 1);
      this.levels.splice(at, 1);
    } else if (known) {
      this.levels[at] = level;
    } else {
      this.ranks.splice(at, 0, value);
      this.levels.splice(at, 0, level);
    }
  }

  /** Keep no more than the best `depth` levels. */
  cut(depth) {
    if (depth && this.levels.length > depth) {
      this.ranks.length = depth;
      this.levels.length = depth;
    }
  }
}

/** Why a message did not fit; the reader has to ask for a new snapshot. */
export class BookMismatch extends Error {}

export class BookCopy {
  constructor() {
    this.bidSide = new Side(true);
    this.askSide = new Side(false);
    this.seq = null;
    this.checksum = null;
  }

  /** Levels [price, quantity, orders], best first. */
  get bids() {
    return this.bidSide.levels;
  }

  get asks() {
    return this.askSide.levels;
  }

  get proven() {
    return this.seq !== null;
  }

  /** Take in one message of the `book` channel. Throws BookMismatch when it does not follow or does not prove. */
  apply(message, depth = 0) {
    if (message.type === "snapshot") {
      this.bidSide.clear();
      this.askSide.clear();
    } else {
      if (this.seq === null) throw new BookMismatch("a delta came before any snapshot");
      if (String(message.prev_seq) !== this.seq) {
        throw new BookMismatch(`a delta follows ${message.prev_seq}, this copy is at ${this.seq}`);
      }
    }
    for (const level of message.data.bids) this.bidSide.set(level);
    for (const level of message.data.asks) this.askSide.set(level);
    this.bidSide.cut(depth);
    this.askSide.cut(depth);
    const mine = checksum(this.bids, this.asks);
    this.seq = String(message.seq);
    this.checksum = mine;
    if (String(message.checksum) !== String(mine)) {
      const claimed = message.checksum;
      this.forget();
      throw new BookMismatch(`the venue's checksum is ${claimed}, this copy's ${mine}`);
    }
  }

  /** Forget everything: what follows has to be a snapshot. */
  forget() {
    this.bidSide.clear();
    this.askSide.clear();
    this.seq = null;
    this.checksum = null;
  }
}
