// Challenged settlements, and the reviewer's desk.

import "./plain.js";
import "../parts/disputes.js";
import { learnWords } from "../lib/words.js";

const list = document.querySelector("sx-disputes");
learnWords().then(() => list?.connect());
document.querySelector("[data-state]")?.addEventListener("change", (event) => list.choose(event.target.value));
