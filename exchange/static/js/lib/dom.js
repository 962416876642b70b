// Building and touching the page. Only text goes in, never markup.

/** An element: h("td", {class: "num", onclick: fn}, "text", child, …). Null attributes and children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Change a node's text only when it differs: an unchanged node costs no layout and tells readers nothing. */
export function setText(node, text) {
  if (node && node.textContent !== text) node.textContent = text;
}

export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** What a reader would call a node of a list: itself, in the row it stands in. */
function nameOf(node) {
  const row = node.closest("tr, li, section");
  return [node.tagName, row?.querySelector("code")?.title ?? row?.getAttribute("aria-label"), node.textContent].join(" ");
}

/** Draw anew what `root` holds. What was unfolded stays so, and what had the focus gets it again, as far as it is still there. */
export function redraw(root, ...content) {
  const open = new Set([...root.querySelectorAll("details[open] > summary")].map(nameOf));
  const focused = root.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  root.replaceChildren(...content);
  for (const summary of root.querySelectorAll("summary")) {
    if (open.has(nameOf(summary))) summary.parentElement.open = true;
  }
  if (focused) [...root.querySelectorAll("a, button, summary")].find((node) => nameOf(node) === focused)?.focus({ preventScroll: true });
}

/** Three breathing lines: something is on its way. */
export function loading(label = "Loading") {
  return h("div", { class: "loading", role: "status" }, h("span", { class: "sr-only" }, label), h("i"), h("i"), h("i"));
}

/** A designed nothing: a short title, a sentence, and what can be done about it. */
export function empty(title, sentence = "", action = null) {
  return h("div", { class: "empty" }, h("strong", {}, title), sentence ? h("span", {}, sentence) : null, action);
}

/** A failure with a way to try again. */
export function failed(problem, again) {
  return h(
    "div",
    { class: "empty", role: "alert" },
    h("strong", {}, "This could not be loaded"),
    h("span", {}, problem.message),
    h("button", { class: "button", type: "button", onclick: again }, "Try again"),
  );
}

/** A custom element that draws itself at most once a frame. Subclasses have `draw()`, and may have `connect(context)`. */
export class Part extends HTMLElement {
  changed() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      if (this.isConnected) this.draw();
    });
  }

  draw() {}
}

export function define(name, part) {
  if (!customElements.get(name)) customElements.define(name, part);
}
