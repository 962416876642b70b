// A manifest as a form: each control has the path of its field and says how its text becomes JSON. What the form does not show is kept.

/** "1,000 000" as a person writes it, as the wire has it. */
export const digits = (text) => text.trim().replace(/(?<=\d)[\s,_\u202f](?=\d)/g, "");

export function listOf(text) {
  return text.split(",").map((word) => word.trim()).filter(Boolean);
}

/** The value of "2026-12-01T00:00" on the wire; "" stays undefined. */
export function momentOf(text) {
  if (!text) return undefined;
  return text.length === 16 ? `${text}:00Z` : `${text}Z`;
}

const count = (text) => (/^\d{1,15}$/.test(digits(text)) ? Number(digits(text)) : text.trim());

/** What a control of this kind says, or undefined when it says nothing. */
export function jsonOf(kind, control) {
  const { value } = control;
  if (kind === "flag") return control.checked;
  const bare = kind.replace("maybe-", "");
  if (bare === "list") return listOf(value);
  if (bare === "any") return value.trim() ? listOf(value) : "any";
  if (!value.trim()) return undefined;
  if (bare === "moment") return momentOf(value);
  if (bare === "units") return digits(value);
  if (bare === "count" || bare === "span") return count(value);
  return value.trim();
}

/** What a control of this kind shows for a value. */
export function textOf(kind, value) {
  if (value === undefined || value === null) return "";
  const bare = kind.replace("maybe-", "");
  if (bare === "list" || bare === "any") return Array.isArray(value) ? value.join(", ") : value === "any" ? "" : String(value);
  if (bare === "moment") return String(value).replace(/(:00)?(\.0+)?Z$/, "");
  return String(value);
}

export function at(document, path) {
  return path.split(".").reduce((found, name) => found?.[name], document);
}

export function put(document, path, value) {
  const names = path.split(".");
  const last = names.pop();
  let place = document;
  for (const name of names) {
    if (typeof place[name] !== "object" || place[name] === null) {
      if (value === undefined) return;
      place[name] = {};
    }
    place = place[name];
  }
  if (value === undefined) delete place[last];
  else place[last] = value;
}

/** `root` holds controls with `data-path`, a textarea `data-json`, and parts `data-as`; `radios` choose between the two. */
export class Terms {
  constructor(root, radios) {
    this.root = root;
    this.text = root.querySelector("[data-json]");
    this.prefix = root.dataset.terms;
    this.controls = [...root.querySelectorAll("[data-path]")];
    this.base = {};
    this.way = "form";
    for (const control of this.controls) control.dataset.at = `${this.prefix}.${control.dataset.path}`;
    for (const radio of radios) radio.addEventListener("change", () => this.choose(radio.value));
    this.radios = radios;
  }

  /** Throws SyntaxError when the text is no JSON. */
  read() {
    if (this.way === "json") return JSON.parse(this.text.value);
    const found = structuredClone(this.base);
    for (const control of this.controls) put(found, control.dataset.path, jsonOf(control.dataset.kind, control));
    return found;
  }

  /** Show a manifest, or a part of one: what it does not say stays as the form has it. */
  write(document) {
    this.base = structuredClone(document);
    for (const control of this.controls) {
      const value = at(document, control.dataset.path);
      if (value === undefined) continue;
      if (control.dataset.kind === "flag") control.checked = Boolean(value);
      else control.value = textOf(control.dataset.kind, value);
    }
  }

  /** Go over to the other way of writing, taking along what stands there. JSON that can't be read stays where it is. */
  choose(way) {
    if (way === this.way) return;
    if (way === "json") {
      this.text.value = JSON.stringify(this.read(), null, 2);
    } else {
      try {
        this.write(JSON.parse(this.text.value));
      } catch {
        for (const radio of this.radios) radio.checked = radio.value === "json";
        this.text.dispatchEvent(new CustomEvent("unreadable", { bubbles: true }));
        return;
      }
    }
    this.way = way;
    for (const part of this.root.querySelectorAll("[data-as]")) part.hidden = part.dataset.as !== way;
  }
}
