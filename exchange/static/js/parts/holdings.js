// What the reader has: cash by currency, and lots that could be sold by market.

import { grouped } from "../lib/decimal.js";
import { define, empty, failed, h, loading, Part } from "../lib/dom.js";

class Balances extends Part {
  connect({ own }) {
    this.own = own;
    own.addEventListener("balances", () => this.changed());
    this.replaceChildren(loading("Loading balances"));
  }

  draw() {
    const { balances, failures } = this.own;
    if (!balances) {
      if (failures.balances) this.replaceChildren(failed(failures.balances, () => this.own.loadBalances()));
      return;
    }
    if (!balances.length) {
      this.replaceChildren(empty("No cash yet", "An operator credits deposits."));
      return;
    }
    const row = (balance) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, balance.currency),
        h("td", { class: "num strong" }, grouped(balance.available)),
        h("td", { class: "num" }, grouped(balance.held)),
        h("td", { class: "num" }, grouped(balance.total)),
      );
    const heads = [["Cash", ""], ["Available", "num"], ["Held", "num"], ["Total", "num"]];
    this.replaceChildren(
      h(
        "table",
        { class: "table" },
        h("caption", { class: "sr-only" }, "Cash balances"),
        h("thead", {}, h("tr", {}, ...heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))),
        h("tbody", {}, ...[...balances].sort((a, b) => (a.currency < b.currency ? -1 : 1)).map(row)),
      ),
    );
  }
}

class Positions extends Part {
  connect({ market, own }) {
    this.market = market;
    this.own = own;
    own.addEventListener("positions", () => this.changed());
    this.replaceChildren(loading("Loading positions"));
  }

  draw() {
    const { positions, failures } = this.own;
    if (!positions) {
      if (failures.positions) this.replaceChildren(failed(failures.positions, () => this.own.loadPositions()));
      return;
    }
    if (!positions.length) {
      this.replaceChildren(empty("No positions", "Lots you could sell in a market appear here."));
      return;
    }
    const here = this.market?.symbol;
    const row = (position) =>
      h(
        "tr",
        position.instrument === here ? { "aria-current": "true" } : {},
        h("th", { scope: "row" }, h("a", { href: `/trade/${position.instrument}` }, position.instrument)),
        h("td", { class: "num strong" }, grouped(position.available)),
        h("td", { class: "num" }, grouped(position.reserved)),
        h("td", { class: "num" }, grouped(position.quantity)),
        h("td", { class: "num wide" }, grouped(position.units)),
        h("td", { class: "num wide" }, String(position.rights?.length ?? position.rights ?? "")),
      );
    const heads = [["Market", ""], ["To sell", "num"], ["In asks", "num"], ["Lots", "num"], ["Units", "num wide"], ["Rights", "num wide"]];
    this.replaceChildren(
      h(
        "table",
        { class: "table positions" },
        h("caption", { class: "sr-only" }, "Positions in lots"),
        h("thead", {}, h("tr", {}, ...heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))),
        h("tbody", {}, ...[...positions].sort((a, b) => (a.instrument === here ? -1 : b.instrument === here ? 1 : a.instrument < b.instrument ? -1 : 1)).map(row)),
      ),
    );
  }
}

define("sx-balances", Balances);
define("sx-positions", Positions);
