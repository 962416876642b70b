// One request, from what was asked to what it came to.

import "./plain.js";
import "../parts/request.js";
import { learnWords } from "../lib/words.js";

const part = document.querySelector("sx-request");
learnWords().then(() => part?.connect({ id: part.dataset.id }));
