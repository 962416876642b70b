// The issuer's own suppliers: what each can do, and how much of it is posted for which window.

import { announce } from "../lib/announce.js";
import { get, post } from "../lib/api.js";
import { grouped } from "../lib/decimal.js";
import { sending, valuesOf } from "../lib/desk_form.js";
import { define, empty, failed, h, loading, Part } from "../lib/dom.js";
import { windowText } from "../lib/time.js";

class Suppliers extends Part {
  connect({ openFor }) {
    this.openFor = openFor;
    this.restart();
  }

  async restart() {
    this.turn = (this.turn ?? 0) + 1;
    const { turn } = this;
    this.replaceChildren(loading("Loading suppliers"));
    try {
      const { data } = await get("/suppliers", { owner: "me", limit: 50 });
      const found = await Promise.all(data.map((supplier) => this.whole(supplier)));
      if (turn === this.turn) this.show(found);
    } catch (problem) {
      if (turn === this.turn) this.replaceChildren(failed(problem, () => this.restart()));
    }
  }

  async whole(supplier) {
    const { data } = await get(`/suppliers/${supplier.id}/capabilities`, { status: "live", limit: 50 });
    const capabilities = await Promise.all(
      data.map(async (capability) => ({ ...capability, posted: (await get(`/suppliers/${supplier.id}/capabilities/${capability.id}/capacity`, { window_from: new Date().toISOString().replace("Z", "000Z"), limit: 20 })).data })),
    );
    return { ...supplier, capabilities };
  }

  show(suppliers) {
    if (!suppliers.length) {
      this.replaceChildren(empty("You have no supplier", "Register one if the capacity is yours. Capacity that somebody else offers to you needs none: pledge it in an assurance."));
      return;
    }
    this.replaceChildren(h("ul", { class: "cards" }, ...suppliers.map((supplier) => this.card(supplier))));
  }

  card(supplier) {
    const mayAct = this.hasAttribute("data-may-act") && supplier.status === "active";
    return h(
      "li",
      { class: "card", "data-supplier": supplier.slug },
      h(
        "div",
        { class: "card-head" },
        h("h3", {}, supplier.name),
        h("span", { class: `badge status-${supplier.status === "active" ? "active" : "frozen"}` }, supplier.status),
        h("span", { class: "muted" }, `${supplier.slug} · ${supplier.region} · trusted ${supplier.trust_bps} bps`),
        h("span", { class: "card-acts" }, mayAct ? h("button", { class: "button small", type: "button", onclick: () => this.openFor("capability-dialog", { supplier: supplier.id }) }, "Post a capability") : null),
      ),
      supplier.capabilities.length ? h("ul", { class: "capabilities" }, ...supplier.capabilities.map((one) => this.capability(supplier, one, mayAct))) : h("p", { class: "muted" }, "No capability yet: say what it can do."),
    );
  }

  capability(supplier, one, mayAct) {
    const line = (row) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, windowText(row.window.start, row.window.end)),
        h("td", { class: "num" }, grouped(row.units)),
        h("td", { class: "num wide" }, grouped(row.pledged_units)),
        h("td", { class: "num" }, grouped(row.free_units)),
      );
    const heads = [["Window", ""], ["Posted", "num"], ["Pledged", "num wide"], ["Free", "num"]];
    return h(
      "li",
      { "data-capability": one.id },
      h(
        "div",
        { class: "card-head" },
        h("h4", {}, one.workload),
        h("span", { class: "muted" }, [one.quality_band, one.latency_band, one.privacy_mode, one.environment, one.availability, ...one.constraints].join(" · ")),
        h("span", { class: "muted" }, `${one.tariff.amount} ${one.tariff.currency} per ${grouped(one.tariff.units)} ${one.unit}`),
        h("span", { class: "card-acts" }, mayAct ? h("button", { class: "button small", type: "button", onclick: () => this.openFor("capacity-dialog", { supplier: supplier.id, capability: one.id }) }, "Post capacity") : null),
      ),
      one.posted.length
        ? h("div", { class: "scroll" }, h("table", { class: "table" }, h("caption", { class: "sr-only" }, `Capacity of ${one.workload}, in ${one.unit}`), h("thead", {}, h("tr", {}, ...heads.map(([text, kind]) => h("th", { scope: "col", class: kind }, text)))), h("tbody", {}, ...one.posted.map(line))))
        : h("p", { class: "muted" }, "Nothing posted for windows to come."),
    );
  }
}

define("sx-desk-suppliers", Suppliers);

/** Let the three dialogs post; `target` says what was opened for which. */
export function connectSupply(forms, target, posted) {
  const place = () => `/suppliers/${target.supplier}/capabilities`;
  const done = (title) => () => {
    announce(title);
    posted();
  };
  const lists = { constraints: "list", issuers: "list" };
  sending(forms.supplier, (options) => post("/suppliers", valuesOf(forms.supplier), options), done("The supplier is registered"));
  sending(forms.capability, (options) => post(place(), valuesOf(forms.capability, lists), options), done("The capability is posted"));
  sending(forms.capacity, (options) => post(`${place()}/${target.capability}/capacity`, valuesOf(forms.capacity, lists), options), done("The capacity is posted"));
}
