import assert from "node:assert/strict";
import { test } from "node:test";
import { BookCopy, BookMismatch, checksum } from "../../../exchange/static/js/lib/book.js";
import { crc32 } from "../../../exchange/static/js/lib/crc32.js";

const BIDS = [["0.0950", "3", 1], ["0.0900", "120", 4], ["0.0001", "7", 1]];
const ASKS = [["0.1000", "10", 2], ["0.1050", "2", 1], ["12.0000", "400", 9]];

function message(type, seq, bids, asks, proof, prev = seq - 1) {
  return { ch: "book", inst: "X", type, seq, prev_seq: prev, data: { bids, asks }, checksum: proof };
}

test("crc32 of the standard check text", () => {
  assert.equal(crc32("123456789"), 0xcbf43926);
  assert.equal(crc32(""), 0);
});

// The expected numbers are the venue's own (exchange/domain/checksum.py) for the same levels.
test("the checksum is the venue's", () => {
  assert.equal(checksum(BIDS, ASKS), 1957796509);
  assert.equal(checksum([], []), 0);
  assert.equal(checksum(BIDS, []), 2119458579);
  const bids = Array.from({ length: 12 }, (_, i) => [`${100 - i}.50`, String(i + 1)]);
  const asks = Array.from({ length: 12 }, (_, i) => [`${101 + i}.00`, String(20 + i)]);
  assert.equal(checksum(bids, asks), 3637221757);
});

test("a copy follows a snapshot and deltas, and proves itself at each", () => {
  const book = new BookCopy();
  book.apply(message("snapshot", 7, BIDS, ASKS, checksum(BIDS, ASKS)));
  assert.deepEqual(book.bids.map((level) => level[0]), ["0.0950", "0.0900", "0.0001"]);
  const after = [["0.0975", "5", 1], ["0.0900", "120", 4], ["0.0001", "7", 1]];
  book.apply(message("delta", 8, [["0.0950", "0", 0], ["0.0975", "5", 1]], [], checksum(after, ASKS)));
  assert.deepEqual(book.bids, after);
  assert.equal(book.seq, "8");
  book.apply(message("delta", 9, [], [["0.1000", "0", 0]], checksum(after, ASKS.slice(1))));
  assert.equal(book.asks[0][0], "0.1050");
});

test("an empty delta still moves the sequence", () => {
  const book = new BookCopy();
  book.apply(message("snapshot", 1, [], [], 0));
  book.apply(message("delta", 2, [], [], 0));
  assert.equal(book.seq, "2");
});

test("a hole, a wrong checksum and an early delta are mismatches, and the copy is no longer proven", () => {
  const book = new BookCopy();
  assert.throws(() => book.apply(message("delta", 2, [], [], 0)), BookMismatch);
  book.apply(message("snapshot", 1, BIDS, ASKS, checksum(BIDS, ASKS)));
  assert.throws(() => book.apply(message("delta", 3, [], [], 0)), BookMismatch);
  assert.throws(() => book.apply(message("delta", 2, [["0.0950", "4", 1]], [], 1)), BookMismatch);
  assert.equal(book.proven, false);
  assert.deepEqual(book.bids, []);
});
