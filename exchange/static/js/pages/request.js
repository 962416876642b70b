// One request, from what was asked to what it came to.

import "./plain.js";
import "../parts/request.js";
import { VenueSocket, socketUrl } from "../lib/socket.js";
import { learnWords } from "../lib/words.js";

const part = document.querySelector("sx-request");
if (part) {
  const venue = new VenueSocket(socketUrl());
  learnWords().then(() => {
    part.connect({ id: part.dataset.id, venue });
    venue.open();
  });
}
