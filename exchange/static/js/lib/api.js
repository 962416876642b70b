// The venue's REST interface, called with the browser's session.

import { OutcomeUnknown, Problem } from "./problem.js";

const BASE = "/api/v1";

function csrfToken() {
  const match = /(?:^|;\s*)csrftoken=([^;]+)/.exec(document.cookie);
  return match ? decodeURIComponent(match[1]) : "";
}

function query(params) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    if (value !== undefined && value !== null && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

export async function call(method, path, { params, body, headers = {}, signal } = {}) {
  const options = { method, signal, credentials: "same-origin", headers: { Accept: "application/json", ...headers } };
  if (method !== "GET") options.headers["X-CSRFToken"] = csrfToken();
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(BASE + path + query(params), options);
  } catch (failure) {
    if (failure.name === "AbortError") throw failure;
    throw new OutcomeUnknown("The venue could not be reached.");
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    // A proxy's own error page: the status is all there is to tell.
  }
  if (!response.ok) throw new Problem(answer ?? { title: `The venue answered ${response.status}.` }, response.status);
  return answer;
}

export const get = (path, params, options = {}) => call("GET", path, { params, ...options });
export const post = (path, body, options = {}) => call("POST", path, { body, ...options });
export const put = (path, body, options = {}) => call("PUT", path, { body, ...options });
export const patch = (path, body, options = {}) => call("PATCH", path, { body, ...options });
export const del = (path, params, options = {}) => call("DELETE", path, { params, ...options });

/** A fresh key for a call that must not happen twice; also a fresh client_order_id. */
export function freshKey(prefix = "web") {
  return `${prefix}-${randomText()}`;
}

// crypto.randomUUID is only there on https and localhost; a venue on a plain address of the house must work too.
function randomText() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
