// One market's desk: wires the parts to the market, to the reader's own account, and to each other.

import "./plain.js";
import "../parts/candles.js";
import "../parts/connection.js";
import "../parts/depth.js";
import "../parts/fills.js";
import "../parts/headline.js";
import "../parts/holdings.js";
import "../parts/ladder.js";
import "../parts/orders.js";
import "../parts/tabs.js";
import "../parts/tape.js";
import "../parts/ticket.js";
import { announce } from "../lib/announce.js";
import { Market } from "../lib/market.js";
import { Own } from "../lib/own.js";
import { shortcut } from "../lib/shortcuts.js";
import { VenueSocket, socketUrl } from "../lib/socket.js";
import { learnWords } from "../lib/words.js";

const desk = document.querySelector("[data-desk]");
const symbol = desk.dataset.symbol;
const signedIn = document.body.hasAttribute("data-signed-in");

const venue = new VenueSocket(socketUrl());
const market = new Market(venue, symbol);
const own = signedIn ? new Own(venue, symbol) : null;

const PARTS = "sx-connection, sx-headline, sx-banner, sx-ladder, sx-tape, sx-candles, sx-intervals, sx-depth, sx-ticket";
const OWN_PARTS = "sx-orders, sx-cancel-all, sx-fills, sx-balances, sx-positions";
for (const part of document.querySelectorAll(own ? `${PARTS}, ${OWN_PARTS}` : PARTS)) part.connect({ venue, market, own });

learnWords();
market.start();
own?.start();
venue.open();

const ladder = document.querySelector("sx-ladder");
const ticket = document.querySelector("sx-ticket");

/** On a phone one part shows at a time. */
function show(view) {
  desk.dataset.view = view;
  for (const button of desk.querySelectorAll("[data-view-to]")) button.setAttribute("aria-current", String(button.dataset.viewTo === view));
}
for (const button of desk.querySelectorAll("[data-view-to]")) {
  button.addEventListener("click", () => {
    show(button.dataset.viewTo);
    if (button.dataset.side) ticket.choose(button.dataset.side);
  });
}

ladder.addEventListener("pick", (event) => {
  ticket.pick(event.detail.price);
  if (matchMedia("(width < 760px)").matches) show("ticket");
});

for (const choice of document.querySelectorAll("[data-scope-choice]")) {
  choice.addEventListener("change", () => {
    for (const part of document.querySelectorAll("sx-orders, sx-fills")) {
      part.dataset.scope = choice.checked ? "all" : "here";
      part.changed();
    }
  });
}

document.querySelector("sx-orders")?.addEventListener("count", (event) => {
  for (const badge of document.querySelectorAll("[data-open-count]")) badge.textContent = event.detail ? String(event.detail) : "";
});

if (own) {
  shortcut("b", "Buy: turn the ticket", () => ticket.choose("buy"));
  shortcut("s", "Sell: turn the ticket", () => ticket.choose("sell"));
  shortcut("p", "Go to the price", () => ticket.focusOn("price"));
  shortcut("q", "Go to the quantity", () => ticket.focusOn("quantity"));
  shortcut("x", "Cancel all orders (asks first)", () => document.querySelector("sx-cancel-all").ask());
  shortcut("o", "Go to the open orders", () => document.querySelector("[data-tab=orders]").click());
}
shortcut("l", "Go to the ladder", () => ladder.querySelector("button.price[tabindex='0']")?.focus());
shortcut("r", "Read out the best prices", () => market.book.proven && announce(ladder.summary));
