import assert from "node:assert/strict";
import { test } from "node:test";
import { PagedList } from "../../../exchange/static/js/lib/pages_of.js";

/** The venue's answers by cursor, each given when told. */
function venue(pages) {
  const asked = [];
  globalThis.fetch = (path) =>
    new Promise((resolve) => {
      const cursor = new URL(path, "http://venue").searchParams.get("cursor") ?? "";
      asked.push({ cursor, give: () => resolve(new Response(JSON.stringify(pages[cursor]))) });
    });
  return asked;
}

const PAGES = { "": { data: [1, 2], next_cursor: "b" }, b: { data: [3], next_cursor: null } };

test("a page that is asked for twice before it is there comes once", async () => {
  const asked = venue(PAGES);
  const list = new PagedList("/things");
  const first = list.load();
  asked[0].give();
  await first;
  const twice = [list.load(), list.load()];
  assert.deepEqual(asked.map((one) => one.cursor), ["", "b"]);
  asked[1].give();
  await Promise.all(twice);
  assert.deepEqual(list.rows, [1, 2, 3]);
  assert.equal(list.more, false);
});

test("what a list was asked for before it began anew is not shown", async () => {
  const asked = venue(PAGES);
  const list = new PagedList("/things");
  const before = list.load();
  const after = list.reload();
  asked[1].give();
  await after;
  asked[0].give();
  await before;
  assert.deepEqual(list.rows, [1, 2]);
  assert.equal(list.loading, null);
});
