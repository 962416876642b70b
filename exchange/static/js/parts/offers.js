// Block offers: what is in each, for how much, and until when. Anybody's open ones and all of the reader's own.

import { grouped } from "../lib/decimal.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { openAct } from "./act_dialog.js";
import { partsOf, policyOf } from "./packages.js";
import { Paged } from "./paged.js";
import { shortId } from "./preview.js";

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
const percent = (bps) => `${bps / 100} %`;

class Offers extends Paged {
  kind = "offers";
  caption = "Packages on offer";
  heads = [["Package", ""], ["In it", ""], ["Price", "num"], ["Ends", "wide"], ["Act", "end"]];

  connect() {
    this.account = document.querySelector("[data-account]").textContent;
    this.follow(new PagedList("/block-offers", { limit: 50 }));
  }

  nothing() {
    return ["Nothing is on offer", "A package of yours can be offered from the list above."];
  }

  rowsOf(offer) {
    const mine = offer.seller === this.account;
    const who = mine ? "yours" : offer.buyer === this.account ? "for you alone" : "for anybody";
    const open = offer.state === "open";
    return [
      h(
        "tr",
        { class: open ? "" : "over" },
        h("th", { scope: "row" }, `${capital(offer.disclosure.type)}, ${who}`, h("span", { class: "under" }, shortId(offer.package_id), mine && offer.buyer ? [" only to ", shortId(offer.buyer)] : null)),
        h("td", {}, partsOf(offer.disclosure.parts, false), policyOf(offer.disclosure.policy)),
        h("td", { class: "num strong" }, `${grouped(offer.price)} ${offer.currency}`, h("span", { class: "under" }, `taker's fee ${percent(offer.fee_bps)}`)),
        h("td", { class: "wide nowrap" }, open ? h("sx-countdown", { to: offer.expires_at }) : capital(offer.state), open ? null : h("span", { class: "under" }, dayTime(offer.ended_at))),
        h("td", { class: "end" }, open ? this.act(offer, mine) : capital(offer.state)),
      ),
    ];
  }

  act(offer, mine) {
    const button = (text, run) => h("button", { class: `button small ${mine ? "danger" : ""}`, type: "button", "aria-label": `${text}: ${offer.price} ${offer.currency}`, onclick: run }, text);
    return mine ? button("Withdraw", () => this.withdraw(offer)) : button("Take", () => this.take(offer));
  }

  withdraw(offer) {
    openAct({ path: `/block-offers/${offer.id}`, method: "DELETE", title: "Withdraw the offer?", sentence: "The package stays yours, and stays a package.", yes: "Withdraw it", said: "Offer withdrawn", danger: true });
  }

  take(offer) {
    openAct({
      path: `/block-offers/${offer.id}/accept`,
      title: `Take it for ${grouped(offer.price)} ${offer.currency}?`,
      sentence: `Paid at once from your cash, and ${percent(offer.fee_bps)} of it to the venue. Every right in it has to pass its gates, or nothing happens.`,
      yes: "Take it",
      said: "Bought",
    });
  }
}

define("sx-offers", Offers);
