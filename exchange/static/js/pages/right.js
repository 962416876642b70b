// One right: what its holder and its issuer may do with it. The page itself is the server's.

import "./plain.js";
import { get } from "../lib/api.js";
import { define } from "../lib/dom.js";
import { Act } from "../parts/act.js";

const TERMS = ["version", "kind", "resource", "service", "window", "limits", "fallback_policy", "settlement_policy", "transfer_policy", "issuer", "assurance", "routing_hints"];

/** An amendment states the whole manifest as it is to be: what stands now, with another label. */
class Relabel extends Act {
  async body() {
    const { reason, ...metadata } = await super.body();
    const right = await get(this.path().replace(/\/amend$/, ""));
    const manifest = Object.fromEntries(TERMS.map((name) => [name, right[name]]));
    return { amendment: "metadata-only", reason: reason ?? "", manifest: { ...manifest, metadata } };
  }

  control(field) {
    return super.control(field.replace(/^manifest\.metadata\./, ""));
  }
}

define("sx-relabel", Relabel);
