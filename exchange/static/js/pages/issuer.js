// An issuer's record, as everybody may see it.

import "./plain.js";
import "../parts/scorecard.js";

document.querySelector("sx-scorecard").connect();
document.querySelector("sx-standing").connect();
