// The board of markets, live.

import "./plain.js";
import "../parts/connection.js";
import "../parts/markets.js";
import { VenueSocket, socketUrl } from "../lib/socket.js";
import { shortcut } from "../lib/shortcuts.js";

const venue = new VenueSocket(socketUrl());

document.querySelector("sx-connection").connect({ venue });
document.querySelector("sx-markets").connect({ venue });
venue.open();

// What is listed while the board stands open is offered, not pushed in: a board that jumps is hard to read.
const shown = new Set();
venue.subscribe(
  { channel: "instruments" },
  {
    message: ({ type, data }) => {
      for (const instrument of [data].flat()) {
        const known = document.querySelector("sx-markets").told(instrument) || shown.has(instrument.symbol);
        shown.add(instrument.symbol);
        if (type === "event" && !known) document.querySelector("[data-listed]").hidden = false;
      }
    },
  },
);
document.querySelector("[data-listed] button").addEventListener("click", () => location.reload());

// A filter brings a new board from the server.
document.body.addEventListener("htmx:afterSettle", () => document.querySelector("sx-markets").connect({ venue }));

shortcut("/", "Find a market", () => document.querySelector("[data-search]").focus());
