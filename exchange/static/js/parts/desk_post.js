// Posting an assurance: a class and window, the capacity behind it, and what it comes to.

import { announce } from "../lib/announce.js";
import { get, post } from "../lib/api.js";
import { grouped } from "../lib/decimal.js";
import { looking, sending, showProblem, unreadable, valuesOf } from "../lib/desk_form.js";
import { digits, put, Terms } from "../lib/desk_terms.js";
import { define, failed, h, loading, Part } from "../lib/dom.js";
import { windowText } from "../lib/time.js";

const COUNTS = { haircut_bps: "count", overbook_bps: "count", stale_after_seconds: "count" };

/** Dimensions of a class, by path, as a part of a manifest. Whose tier it is, is no part of one. */
export function termsOf(dimensions) {
  const found = {};
  for (const [path, value] of Object.entries(dimensions)) if (path !== "issuer.tier") put(found, path, value);
  return found;
}

/** The capacity that can be pledged, with a place for how much. Loaded anew for each window. */
class Sources extends Part {
  async load(start, end) {
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
    this.replaceChildren(loading("Loading capacity"));
    try {
      const answer = await get("/offered-capacity", { window_from: start, window_to: end, limit: 200 });
      if (turn !== this.turn) return;
      this.rows = answer.data;
      this.changed();
    } catch (problem) {
      if (turn === this.turn) this.replaceChildren(failed(problem, () => this.load(start, end)));
    }
  }

  draw() {
    if (!this.rows) return;
    if (!this.rows.length) {
      this.replaceChildren(h("p", { class: "hint" }, "Nobody has offered you free capacity in this window. Post some under Supply, or ask a supplier to name you."));
      return;
    }
    const line = (row, place) => {
      const id = `source-${place}`;
      const input = h("input", { type: "text", id, inputMode: "numeric", autocomplete: "off", "data-source": place, "aria-describedby": `${id}-hint` });
      return h(
        "div",
        { class: "field source" },
        h("label", { for: id }, `${row.supplier}: ${row.workload}, ${row.quality_band}, ${row.latency_band}`),
        input,
        h("p", { class: "hint", id: `${id}-hint` }, `${grouped(row.free_units)} ${row.unit} free, ${windowText(row.window.start, row.window.end)}; ${row.privacy_mode}, ${row.availability}, ${row.region}${row.own ? "; yours" : ""}`),
      );
    };
    this.replaceChildren(...this.rows.map(line));
  }

  /** What is pledged of which; each input learns its place in the list, so that a refusal finds it. */
  read() {
    const found = [];
    for (const input of this.querySelectorAll("[data-source]")) {
      delete input.dataset.at;
      const units = digits(input.value);
      if (!units) continue;
      const row = this.rows[Number(input.dataset.source)];
      input.dataset.at = `sources.${found.length}`;
      found.push({ capability_id: row.capability_id, window: row.window, units });
    }
    return found;
  }
}

define("sx-desk-sources", Sources);

function total(sources) {
  return sources.reduce((sum, { units }) => (/^\d+$/.test(units) ? sum + BigInt(units) : sum), 0n).toString();
}

/** Let the dialog post. `desk` knows the issuer; `posted` is told of the assurance. */
export function connectPosting(form, desk, posted) {
  const terms = new Terms(form.querySelector("[data-terms]"), [...form.querySelectorAll("[name=terms-as]")]);
  const sources = form.querySelector("sx-desk-sources");
  const classes = form.querySelector("[data-classes]");
  const moments = ["window.start", "window.end"].map((path) => form.querySelector(`[data-path="${path}"]`));

  function manifest() {
    const found = terms.read();
    const said = valuesOf(form);
    found.version ??= "synthference/v0";
    found.kind ??= "reserved";
    put(found, "issuer.issuer_type", found.issuer?.issuer_type ?? desk.issuerType);
    put(found, "issuer.id", found.issuer?.id ?? desk.issuer);
    put(found, "issuer.issuance_path", found.issuer?.issuance_path ?? desk.path);
    put(found, "assurance.mode", said.mode);
    put(found, "assurance.reference", said.reference);
    put(found, "assurance.unit", found.resource?.unit);
    return found;
  }

  function body() {
    const said = { issuer: desk.issuer, ...valuesOf(form, COUNTS), sources: sources.read() };
    said.gross_units ??= total(said.sources);
    said.terms = manifest();
    // How much one right delivers does not matter here; the schema wants a number.
    if (!said.terms.resource?.amount) put(said.terms, "resource.amount", said.gross_units === "0" ? "1" : said.gross_units);
    return said;
  }

  const call = (options) => {
    let said;
    try {
      said = body();
    } catch (error) {
      throw unreadable("terms", error);
    }
    return post(options.look ? "/assurances?validate_only=true" : "/assurances", said, options.look ? {} : options);
  };
  const window = () => moments.map((input) => (input.value ? `${input.value.slice(0, 16)}:00Z` : undefined));
  const load = () => sources.load(...window());
  for (const input of moments) input.addEventListener("change", load);
  form.querySelector("[data-json]").addEventListener("change", () => {
    try {
      const { start, end } = JSON.parse(terms.text.value).window;
      sources.load(start, end);
    } catch {
      // Not JSON yet: what is wrong is told when it is sent.
    }
  });
  form.addEventListener("unreadable", () => showProblem(form, unreadable("terms", new SyntaxError("the form can't show it"))));
  classes.addEventListener("change", async () => {
    if (!classes.value) return;
    const found = await get(`/classes/${encodeURIComponent(classes.value)}`).catch(() => null);
    if (found) terms.write(termsOf(found.dimensions));
  });
  get("/classes", { limit: 500 }).then(
    (answer) => classes.append(...answer.data.map((row) => h("option", { value: row.key }, `${row.key} (${row.unit})`))),
    () => {},
  );
  looking(form, async () => call({ look: true }), (would) =>
    h("p", { class: "notice info" }, h("span", {}, `It would carry ${grouped(would.usable_units)} ${would.unit} of ${would.class}: ${grouped(would.gross_units)} less a haircut of ${would.haircut_bps} bps.`)),
  );
  sending(form, async (options) => call(options), (answer) => {
    announce(`${answer.reference} is posted`, `${grouped(answer.headroom_units)} ${answer.unit} may be issued under it.`);
    posted(answer);
  });
  return { opened: load };
}
