// What the reader holds.

import "./plain.js";
import "../parts/connection.js";
import "../parts/holdings.js";
import "../parts/rights.js";
import { Own } from "../lib/own.js";
import { VenueSocket, socketUrl } from "../lib/socket.js";
import { learnWords } from "../lib/words.js";

const venue = new VenueSocket(socketUrl());
const own = new Own(venue, null);
const rights = document.querySelector("sx-rights");

document.querySelector("sx-connection").connect({ venue });
document.querySelector("sx-positions")?.connect({ own });
rights?.connect();
const status = document.querySelector("[data-status]");
const classKey = document.querySelector("[data-class]");
for (const choice of [status, classKey]) choice?.addEventListener("change", () => rights.choose(status.value, classKey.value));

learnWords();
if (rights) {
  own.start();
  let soon;
  const moved = () => {
    clearTimeout(soon);
    soon = setTimeout(() => {
      rights.restart();
      window.htmx?.trigger("#standing", "moved");
    }, 1000);
  };
  own.addEventListener("filled", moved);
  // The first positions are what the page was drawn with; later ones follow fills and asks.
  own.addEventListener("positions", () => own.addEventListener("positions", moved), { once: true });
}
venue.open();
