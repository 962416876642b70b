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

// A filter brings a new board from the server.
document.body.addEventListener("htmx:afterSettle", () => document.querySelector("sx-markets").connect({ venue }));

shortcut("/", "Find a market", () => document.querySelector("[data-search]").focus());
