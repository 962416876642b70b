// Standing policies.

import "./plain.js";
import "../parts/policies.js";
import { learnWords } from "../lib/words.js";
import { connectPolicy } from "../parts/policies.js";

const list = document.querySelector("sx-policies");
const form = document.querySelector("#policy");

if (form) {
  learnWords().then(() => list.connect());
  connectPolicy(form, JSON.parse(document.querySelector("#beginnings").textContent), () => list.restart());
  document.querySelector("[data-state]").addEventListener("change", (event) => list.choose(event.target.value));
}
