// Use what a right claims.

import "./plain.js";
import "../parts/requests.js";
import { learnWords } from "../lib/words.js";
import { connectRedeem } from "../parts/redeem.js";
import { connectSnippets } from "../parts/snippets.js";

const form = document.querySelector("#redeem");
const list = document.querySelector("sx-requests");

if (form) {
  list.connect();
  connectRedeem(form, (request) => location.assign(`/use/${request.id}`));
  connectSnippets(document.querySelector("[data-snippets]"), form.querySelector("[data-right]"), form.querySelector("[data-at=workload]"));
  const state = document.querySelector("[data-state]");
  state.addEventListener("change", () => list.choose(state.value));
}
learnWords();
