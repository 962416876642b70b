// The issuer's desk: one script for its five pages, each of which has some of the parts.

import "./plain.js";
import "../parts/connection.js";
import "../parts/desk_assurances.js";
import { connectPosting } from "../parts/desk_post.js";
import { connectIssuing } from "../parts/desk_rights.js";
import { connectListing } from "../parts/desk_listings.js";
import { connectStanding } from "../parts/desk_consents.js";
import { connectSupply } from "../parts/desk_supply.js";
import { VenueSocket, socketUrl } from "../lib/socket.js";
import { learnWords } from "../lib/words.js";

const page = document.querySelector(".issuer-desk");
const desk = { issuer: page.dataset.issuer, issuerType: page.dataset.issuerType, path: page.dataset.path };
const part = (name) => document.querySelector(`sx-desk-${name}`);
const form = (name) => document.querySelector(`[data-desk-form="${name}"]`);
const target = {};
const onOpen = {};

function openDialog(id) {
  document.getElementById(id).showModal();
  onOpen[id]?.();
}

function openFor(id, what) {
  Object.assign(target, what);
  openDialog(id);
}

const again = (name) => () => part(name).restart();

document.addEventListener("click", (event) => {
  const opener = event.target.closest?.("[data-open]");
  if (opener) openDialog(opener.dataset.open);
  event.target.closest?.("[data-close]")?.closest("dialog").close();
});

if (part("assurances")) {
  part("assurances").connect(desk);
  onOpen["post-dialog"] = connectPosting(form("assurance"), desk, again("assurances")).opened;
}
if (part("rights")) {
  const rights = part("rights");
  rights.connect(desk);
  document.querySelector("[data-status]").addEventListener("change", (event) => rights.choose(event.target.value));
  const { opened } = connectIssuing(form("right"), desk, again("rights"));
  const under = new URLSearchParams(location.search).get("under") ?? undefined;
  onOpen["issue-dialog"] = () => opened(under);
  if (under && !document.querySelector('[data-open="issue-dialog"]').disabled) openDialog("issue-dialog");
}
if (part("listings")) {
  part("listings").connect(desk);
  connectListing(form("listing"), desk, again("listings"));
}
if (part("consents")) {
  const consents = part("consents");
  consents.connect(desk);
  const state = document.querySelector("[data-state]");
  state.addEventListener("change", () => consents.choose(state.value));
  connectStanding(form("standing"), desk, () => {
    state.value = "granted";
    consents.choose("granted");
  });
}
if (part("suppliers")) {
  part("suppliers").connect({ openFor });
  connectSupply({ supplier: form("supplier"), capability: form("capability"), capacity: form("capacity") }, target, again("suppliers"));
}

learnWords();
const venue = new VenueSocket(socketUrl());
document.querySelector("sx-connection").connect({ venue });
venue.open();
