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
  const redeem = connectRedeem(form, (request) => {
    if (request.state === "validated") {
      location.assign(`/use/${request.id}`);
      return;
    }
    list.restart();
    redeem.load();
  });
  connectSnippets(document.querySelector("[data-snippets]"), form.querySelector("[data-right]"));
  const state = document.querySelector("[data-state]");
  state.addEventListener("change", () => list.choose(state.value));
}
learnWords();
