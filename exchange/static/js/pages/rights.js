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
document.querySelector("[data-status]")?.addEventListener("change", (event) => rights.choose(event.target.value));

learnWords();
if (rights) {
  own.start();
  let soon;
  own.addEventListener("filled", () => {
    clearTimeout(soon);
    soon = setTimeout(() => rights.restart(), 1000);
  });
}
venue.open();
