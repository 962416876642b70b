// The reader's rights, one by one: what is left, what is reserved, what its transfer gates say now, where it can be sold.

import { compact, grouped } from "../lib/decimal.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { windowText } from "../lib/time.js";
import { units } from "../lib/words.js";
import { Paged } from "./paged.js";
import { gatesOf, shortId } from "./preview.js";

/** For drawing only. */
function part(amount, whole) {
  return whole === "0" ? 0 : Number((BigInt(amount) * 1000n) / BigInt(whole)) / 1000;
}

function plain(status) {
  const text = status.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

class Rights extends Paged {
  kind = "rights";
  caption = "Rights you hold";
  heads = [["Right", ""], ["Window", ""], ["Remaining", "num"], ["Reserved", "num wide"], ["Status", ""], ["May it change hands?", ""], ["Market", ""]];

  connect() {
    this.follow(new PagedList("/rights", { holder: "me", status: "active", limit: 50 }));
  }

  choose(status, classKey) {
    this.restart({ holder: "me", status: status || null, class: classKey || null, limit: 50 });
  }

  nothing() {
    const { status } = this.list.params;
    return status
      ? [`No ${plain(status).toLowerCase()} rights`, "What you buy in a market appears here at once; another status shows the rest."]
      : ["You hold no rights yet", "Buy some in a market: they are delivered here within the trade itself."];
  }

  rowsOf(right) {
    const { unit } = right.resource;
    const meter = h("span", { class: "meter", "aria-hidden": "true" }, h("i"), h("i"));
    meter.children[0].style.setProperty("--part", part(right.remaining_amount, right.max_amount));
    meter.children[1].style.setProperty("--part", part(right.reserved_amount, right.max_amount));
    const status = h("span", { class: `badge status-${right.status}` }, plain(right.status));
    const markets = (right.instruments ?? []).map((symbol) => h("a", { href: `/trade/${symbol}` }, "Trade"));
    const words = [right.service?.quality_band, right.service?.latency_class, right.service?.privacy_class].filter(Boolean).join(" · ");
    return [
      h(
        "tr",
        {},
        h("th", { scope: "row" }, h("a", { href: `/rights/${right.id}` }, right.metadata?.label || plain(right.resource.type)), h("span", { class: "under" }, words, " · ", shortId(right.id))),
        h("td", {}, windowText(right.window.start, right.window.end)),
        h(
          "td",
          { class: "num", title: `${grouped(right.remaining_amount)} of ${grouped(right.max_amount)} ${unit}` },
          `${compact(right.remaining_amount)} ${units(right.remaining_amount, unit)}`,
          meter,
          h("span", { class: "under" }, `of ${compact(right.max_amount)}`),
        ),
        h("td", { class: "num wide" }, right.reserved_amount === "0" ? "–" : compact(right.reserved_amount)),
        h("td", {}, status, right.freeze_reason ? h("span", { class: "under" }, plain(right.freeze_reason)) : null),
        h("td", {}, gatesOf(right.gates) ?? "–"),
        h("td", {}, markets.length ? markets[0] : h("span", { class: "muted" }, "none")),
      ),
    ];
  }
}

define("sx-rights", Rights);
