// Tabs: `<sx-tabs>` holds buttons with `data-tab="name"`; panels anywhere below `data-tabs-for` the same group show and hide.

import { define } from "../lib/dom.js";

class Tabs extends HTMLElement {
  connectedCallback() {
    this.buttons = [...this.querySelectorAll("[data-tab]")];
    this.setAttribute("role", "tablist");
    this.panels = new Map(this.buttons.map((button) => [button, document.getElementById(button.dataset.tab)]));
    for (const [button, panel] of this.panels) {
      button.setAttribute("role", "tab");
      button.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", (button.id ||= `tab-${panel.id}`));
      button.addEventListener("click", () => this.choose(button));
    }
    this.addEventListener("keydown", (event) => this.move(event));
    this.choose(this.buttons.find((button) => button.hasAttribute("data-first")) ?? this.buttons[0]);
  }

  choose(chosen) {
    for (const [button, panel] of this.panels) {
      button.setAttribute("aria-selected", String(button === chosen));
      button.tabIndex = button === chosen ? 0 : -1;
      panel.hidden = button !== chosen;
    }
  }

  move(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    const at = this.buttons.indexOf(document.activeElement);
    const next = this.buttons[(at + step + this.buttons.length) % this.buttons.length];
    this.choose(next);
    next.focus();
  }
}

define("sx-tabs", Tabs);
