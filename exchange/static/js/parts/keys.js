// API keys: made here, shown once, revoked at once.

import { announce } from "../lib/announce.js";
import { del, freshKey, post } from "../lib/api.js";
import { ask } from "../lib/ask.js";
import { define, h } from "../lib/dom.js";
import { PagedList } from "../lib/pages_of.js";
import { dayTime } from "../lib/time.js";
import { venueNow } from "../lib/venue_time.js";
import { Paged } from "./paged.js";

const DAY_MS = 86400000;

class Keys extends Paged {
  kind = "api-keys";
  caption = "API keys of your account";
  heads = [["Key", ""], ["May", ""], ["Expires", "wide"], ["Action", "end"]];

  connect() {
    this.dialog = document.querySelector("[data-key-dialog]");
    this.form = document.querySelector("[data-key-form]");
    this.tokenDialog = document.querySelector("[data-token-dialog]");
    document.querySelector("[data-new-key]").addEventListener("click", () => this.dialog.showModal());
    for (const button of document.querySelectorAll("dialog [data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
    this.form.addEventListener("submit", (event) => this.make(event));
    this.tokenDialog.querySelector("[data-copy]").addEventListener("click", () => this.copy());
    this.tokenDialog.addEventListener("close", () => {
      this.tokenDialog.querySelector("[data-token]").textContent = "";
    });
    this.follow(new PagedList("/keys", { limit: 100 }));
  }

  nothing() {
    return ["No keys yet", "Programs trade with a key of their own; give each only what it needs."];
  }

  rowsOf(key) {
    const gone = Boolean(key.revoked_at) || (key.expires_at && Date.parse(key.expires_at) < venueNow());
    const state = key.revoked_at ? "revoked" : gone ? "expired" : key.expires_at ? dayTime(key.expires_at) : "never";
    return [
      h(
        "tr",
        {},
        h("th", { scope: "row", class: gone ? "muted" : "" }, key.label || "(no name)", h("span", { class: "under" }, h("code", {}, `${key.id.slice(0, 12)}…`))),
        h("td", {}, (key.scopes ?? []).join(", ")),
        h("td", { class: "wide" }, state),
        h("td", { class: "end" }, gone ? h("span", { class: "muted" }, state) : h("button", { class: "button small danger", type: "button", onclick: () => this.revoke(key) }, "Revoke")),
      ),
    ];
  }

  async make(event) {
    event.preventDefault();
    const data = new FormData(this.form);
    const error = this.form.querySelector("[data-key-error]");
    const body = { label: data.get("label").trim(), scopes: data.getAll("scope") };
    const days = Number(data.get("days"));
    if (days) body.expires_at = new Date(venueNow() + days * DAY_MS).toISOString().replace("Z", "000Z");
    error.hidden = true;
    try {
      const answer = await post("/keys", body, { headers: { "Idempotency-Key": freshKey("key") } });
      this.dialog.close();
      this.form.reset();
      this.tokenDialog.querySelector("[data-token]").textContent = answer.token;
      this.tokenDialog.showModal();
      this.restart();
    } catch (problem) {
      error.textContent = problem.fieldErrors?.length ? problem.fieldErrors.map((entry) => `${entry.field}: ${entry.detail}`).join("; ") : problem.message;
      error.hidden = false;
    }
  }

  async copy() {
    const token = this.tokenDialog.querySelector("[data-token]");
    try {
      await navigator.clipboard.writeText(token.textContent);
      announce("Key copied");
    } catch {
      getSelection().selectAllChildren(token);
      announce("Selected: copy it with your keyboard");
    }
  }

  async revoke(key) {
    const sure = await ask(`Revoke ${key.label || "this key"}?`, "Programs that use it are shut out at once. A revoked key can't be revived.", [[true, "Revoke"]], "Keep it");
    if (!sure) return;
    try {
      await del(`/keys/${key.id}`);
      announce("Key revoked", "Its sockets are closed.");
    } catch (problem) {
      announce("Not revoked", problem.message, "error");
    }
    this.restart();
  }
}

define("sx-keys", Keys);
