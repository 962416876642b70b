// The package builder.

import "./plain.js";
import "../parts/builder.js";
