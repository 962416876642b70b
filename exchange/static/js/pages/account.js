// Cash, ledger and keys of the reader's account.

import "./plain.js";
import "../parts/connection.js";
import "../parts/holdings.js";
import "../parts/keys.js";
import "../parts/ledger.js";
import { Own } from "../lib/own.js";
import { VenueSocket, socketUrl } from "../lib/socket.js";

const venue = new VenueSocket(socketUrl());
const own = new Own(venue, null);

document.querySelector("sx-connection").connect({ venue });
for (const part of document.querySelectorAll("sx-balances, sx-ledger, sx-keys")) part.connect({ own });
if (document.querySelector("sx-balances")) own.start();
venue.open();
