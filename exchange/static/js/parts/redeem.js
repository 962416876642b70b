// The form that uses a right: what the right is fit for, the work as the supplier wants it, the routes before anything is reserved.

import { get, post } from "../lib/api.js";
import { compact, grouped } from "../lib/decimal.js";
import { looking, sending, showProblem, unreadable, valuesOf } from "../lib/desk_form.js";
import { listOf } from "../lib/desk_terms.js";
import { h } from "../lib/dom.js";
import { windowText } from "../lib/time.js";
import { venueNow } from "../lib/venue_time.js";
import { units } from "../lib/words.js";
import { candidates, untaken } from "./candidates.js";
import { shortId } from "./preview.js";

// What a right's resource is mostly used for, and how its work is written.
const WORK = { text_inference: "text.generation", embeddings: "text.embedding", image_generation: "image.generation", video_generation: "video.generation", agent_runtime: "tool.agent-runtime", gpu_time: "gpu.batch" };
const PLAIN = {
  "text.generation": ["chat.completions", (text) => ({ messages: [{ role: "user", content: text }] }), "The prompt, as you would say it. It goes to the supplier as one message of a chat."],
  "text.embedding": ["embeddings", (text) => ({ input: text.split("\n").filter(Boolean) }), "One text per line; each line becomes one embedding."],
};

/** Whether its window is still to begin: what can be used now comes before it. */
const isAhead = (right) => Date.parse(right.window.start) > venueNow();

/** What is left empty is told at once, whatever else the venue would say. */
function refuseEmpty(...told) {
  const fieldErrors = told.filter(([, said]) => !said?.trim()).map(([field, , detail]) => ({ field, detail }));
  if (fieldErrors.length) throw Object.assign(new Error("Something is left empty."), { code: "validation_failed", fieldErrors, gates: [] });
}

function bodyOf(work, text) {
  const known = PLAIN[work];
  if (known && !text.trim().startsWith("{")) return { operation: known[0], payload: JSON.stringify(known[1](text)) };
  try {
    JSON.parse(text);
  } catch (error) {
    throw unreadable("payload", error);
  }
  return { operation: known?.[0] ?? work, payload: text };
}

export function connectRedeem(form, sent) {
  const right = form.querySelector("[data-right]");
  const hint = form.querySelector("[data-right-hint]");
  const work = form.querySelector("[data-at=workload]");
  const text = form.querySelector("[data-text]");
  const textHint = form.querySelector("[data-text-hint]");
  let rights = [];
  let packages = [];

  function describe() {
    const known = PLAIN[work.value];
    textHint.textContent = known ? `${known[2]} A JSON object goes as it is.` : "A JSON object, as the supplier of this kind of work takes it.";
  }

  function choose() {
    const held = packages.find((one) => one.id === right.value);
    if (held) hint.textContent = `${held.parts.length} ${held.parts.length === 1 ? "part" : "parts"}, used in the package's own order; ${shortId(held.id).textContent}`;
    const row = rights.find((one) => one.id === right.value);
    if (!row) return;
    const free = (BigInt(row.remaining_amount) - BigInt(row.reserved_amount)).toString();
    hint.textContent = `${grouped(free)} ${units(free, row.resource.unit)} free, ${windowText(row.window.start, row.window.end)}${isAhead(row) ? ", not before" : ""}; ${shortId(row.id).textContent}`;
    const fitting = WORK[row.resource.type];
    if (fitting) work.value = fitting;
    describe();
  }

  async function load() {
    right.replaceChildren(h("option", { value: "" }, "Looking…"));
    try {
      const [answer, held] = await Promise.all([get("/rights", { holder: "me", status: "active", limit: 200 }), get("/packages", { limit: 200 })]);
      rights = answer.data.filter((row) => Date.parse(row.window.end) > venueNow());
      packages = held.data.filter((row) => row.state === "active");
    } catch (problem) {
      showProblem(form, problem);
      return;
    }
    rights.sort((a, b) => Number(isAhead(a)) - Number(isAhead(b)) || (a.window.end < b.window.end ? -1 : 1));
    right.replaceChildren(
      ...(rights.length ? [] : [h("option", { value: "" }, "You hold no active right: buy one in a market first")]),
      ...rights.map((row) => h("option", { value: row.id }, `${row.metadata?.label || row.class_key}, ${compact(row.remaining_amount)} ${row.resource.unit}, ${windowText(row.window.start, row.window.end)}`)),
      ...packages.map((row) => h("option", { value: row.id }, `${row.label} (${row.type}), ${compact(row.units)} in it`)),
    );
    const { wanted } = form.dataset;
    if (rights.some((row) => row.id === wanted)) right.value = wanted;
    choose();
  }

  function body() {
    const said = valuesOf(form);
    refuseEmpty(["units", said.units, "say how many units it may take at most"], ["payload", text.value, "say what is to be done"]);
    const providers = listOf(form.querySelector("[data-list]").value);
    if (providers.length) said.constraints = { ...said.constraints, providers };
    if (form.querySelector("[name=fallback]:checked").value) said.fallback_policy = [...form.querySelectorAll("[data-fallback]:checked")].map((box) => box.value);
    const source = right.value.startsWith("pkg_") ? { package_id: right.value } : { rights: right.value ? [{ right_id: right.value }] : [] };
    return { ...said, ...bodyOf(work.value, text.value), ...source, route: form.querySelector("[data-manual]").checked ? "manual" : "auto" };
  }

  right.addEventListener("change", choose);
  work.addEventListener("change", describe);
  for (const box of form.querySelectorAll("[data-fallback]")) {
    box.addEventListener("change", () => {
      form.querySelector("[name=fallback][value=some]").checked = true;
    });
  }
  const ready = load(); // who is quicker than the list of rights waits for it
  looking(form, async () => {
    await ready;
    return post("/requests?validate_only=true", body());
  }, (would) => [h("p", {}, would.routes.length ? "These could do it now; nothing is reserved yet." : "No route is free now; it would wait within the right's window."), candidates(untaken(would.routes))]);
  sending(form, async (options) => {
    await ready;
    return post("/requests", body(), options);
  }, (request) => {
    text.value = "";
    sent(request);
  });
  describe();
}
