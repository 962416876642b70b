// What bounded a request, in words: the venue's fields and values as a person reads them. Pure.

import { grouped } from "./decimal.js";
import { rateText } from "./delivery.js";
import { dayTime } from "./time.js";
import { codeWords } from "./words.js";

const FIELDS = {
  latest_at: "Done by",
  privacy_class: "Privacy",
  jurisdictions: "Where it may run",
  providers: "Suppliers",
  denied_providers: "Suppliers kept out",
  tags: "Capabilities",
  max_latency_class: "Latency",
  min_quality_band: "Quality",
  fallbacks: "What may be done instead",
  max_quality_loss_bps: "Quality lost at most",
  max_latency_expansion_bps: "Latency longer by at most",
  max_units: "Units at most",
  min_full_rate_bps: "Done whole at least",
};
const WHOLE = /^\d+$/;
const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

export const boundName = (field) => FIELDS[field] ?? codeWords(field);

/** One side of a narrowing, `before` or `after`: "none" and "any" stay as they are. */
export function boundText(field, value) {
  if (WHOLE.test(value)) return field.endsWith("_bps") ? rateText(value) : grouped(value);
  if (MOMENT.test(value)) return `${dayTime(value)} UTC`;
  return field === "fallbacks" ? value.replaceAll("_", " ") : value;
}
