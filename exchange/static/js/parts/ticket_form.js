// The ticket's form as elements; what it does is in ticket.js.

import { h } from "../lib/dom.js";

let made = 0;

/** A labelled control with a place for what is wrong with it. */
function field(name, label, control, extra = null) {
  made += 1;
  const id = `ticket-${name}-${made}`;
  const input = control.matches("input, select") ? control : control.querySelector("input");
  input.id = id;
  input.dataset.field = name;
  const error = h("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const element = h("div", { class: "field", "data-field-box": name }, h("label", { for: id }, label), control, extra, error);
  return { element, input, error };
}

function radios(name, legend, choices, chosen) {
  const group = h(
    "fieldset",
    { class: `segments ${name}` },
    h("legend", { class: "sr-only" }, legend),
    ...choices.map(([value, text]) => h("label", {}, h("input", { type: "radio", name, value, checked: value === chosen }), text)),
  );
  return group;
}

function stepper(input, what) {
  const button = (step, sign) =>
    h("button", { type: "button", class: "step", tabIndex: -1, "data-step": step, "data-for": what, "aria-label": `${step > 0 ? "Raise" : "Lower"} ${what}` }, sign);
  return h("div", { class: "stepper" }, button(-1, "−"), input, button(1, "+"));
}

const number = (placeholder) =>
  h("input", { type: "text", inputMode: "decimal", autocomplete: "off", spellcheck: false, placeholder, class: "num", maxLength: 32 });

function select(choices) {
  return h("select", {}, ...choices.map(([value, text]) => h("option", { value }, text)));
}

/** All elements of the ticket by name, and the form that holds them. */
export function ticketForm() {
  const priceInput = number("0");
  const quantityInput = number("0");
  const side = radios("side", "Side", [["buy", "Buy"], ["sell", "Sell"]], "buy");
  const type = radios("type", "Order type", [["limit", "Limit"], ["market", "Market"]], "limit");
  const price = field("price", "Price per lot", stepper(priceInput, "price"));
  const priceUnit = h("span", { class: "unit" });
  price.element.querySelector("label").append(" ", priceUnit);
  const explain = h("p", { class: "hint", "data-units": "" });
  const quantity = field("quantity", "Quantity in lots", stepper(quantityInput, "quantity"), explain);
  quantity.input.setAttribute("aria-describedby", `${quantity.input.id}-units`);
  explain.id = `${quantity.input.id}-units`;
  const shares = h(
    "div",
    { class: "shares", role: "group", "aria-label": "Share of what you could trade" },
    ...[25, 50, 75, 100].map((percent) => h("button", { type: "button", class: "button small", "data-share": percent }, percent === 100 ? "Most" : `${percent} %`)),
  );
  const tif = field("time_in_force", "Valid", select([["gtg", "Till the gate closes"], ["gtd", "Till a time I choose"], ["ioc", "Now or cancel (IOC)"], ["fok", "All now or nothing (FOK)"]]));
  const expires = field("expire_time", "Valid till (UTC)", h("input", { type: "datetime-local", step: 60 }));
  const postOnly = h("input", { type: "checkbox", "data-field": "post_only" });
  const postOnlyBox = h("label", { class: "check" }, postOnly, "Post-only: never take");
  const postAction = field("post_only_action", "If it would take", select([["reject", "Refuse it"], ["slide", "Slide it one tick away"]]));
  const selfTrade = field("self_trade_prevention", "If it meets my own order", select([
    ["cancel_newest", "Cancel the new one"], ["cancel_oldest", "Cancel the old one"], ["cancel_both", "Cancel both"], ["decrement", "Reduce both"],
  ]));
  const more = h("details", { class: "more" }, h("summary", {}, "More conditions"), h("div", { class: "more-body" }, postAction.element, selfTrade.element));
  const preview = h("div", { class: "preview", "aria-live": "off" });
  const outcome = h("div", { class: "outcome", role: "status" });
  const submit = h("button", { class: "button wide go-buy", "data-submit": "" }, "Buy");
  const form = h(
    "form",
    { class: "ticket", noValidate: true, autocomplete: "off", "aria-label": "Order ticket" },
    side,
    h("div", { class: "pair" }, type, h("p", { class: "available hint" })),
    price.element,
    quantity.element,
    shares,
    h("div", { class: "pair validity" }, tif.element, expires.element),
    postOnlyBox,
    more,
    preview,
    h("div", { class: "send" }, outcome, submit),
  );
  return { form, side, type, price, priceUnit, quantity, explain, shares, tif, expires, postOnly, postOnlyBox, postAction, selfTrade, preview, outcome, submit, available: form.querySelector(".available") };
}
