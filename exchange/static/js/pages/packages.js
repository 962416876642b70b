// Packages, delegations, block offers.

import "./plain.js";
import "../parts/packages.js";
import "../parts/delegations.js";
import "../parts/offers.js";

const lists = document.querySelectorAll("sx-packages, sx-delegations, sx-offers");

for (const list of lists) list.connect();
// One act may change all three: taking a package apart ends its offer's use, a sale moves the package.
document.addEventListener("sx-acted", () => lists.forEach((list) => list.restart()));
