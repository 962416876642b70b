// The venue's codes in words a trader reads. Refusals come with titles from the venue's own table (GET /errors).

import { get } from "./api.js";

const STATUS = {
  pending: "Pending",
  open: "Open",
  partially_filled: "Partly filled",
  filled: "Filled",
  cancelled: "Cancelled",
  expired: "Expired",
  rejected: "Rejected",
};

const TIF = { gtg: "Till gate", gtc: "Till gate", gtd: "Till time", ioc: "IOC", fok: "FOK", auction_only: "Auction" };

export const PHASE = { pre_open: "Pre-open", continuous: "Open", halted: "Halted", closed: "Closed", expired: "Expired" };

let titles = null;

function plain(code) {
  const text = code.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export const statusWords = (status) => STATUS[status] ?? plain(status);
export const tifWords = (tif) => TIF[tif] ?? plain(tif);
export const phaseWords = (phase) => PHASE[phase] ?? plain(phase);

/** Which version of what is disclosed of an instrument holds, and whether it still does. */
export const sheetWords = (sheet) => (sheet ? `version ${sheet.version}, ${sheet.stale ? "stale" : "fresh"}` : "not yet");

/** The title of a reason or error code. */
export function codeWords(code) {
  return titles?.get(code) ?? plain(code);
}

/** A supplier's fault, "above_reserved: it took 9 tokens", with its code as words. */
export function faultWords(fault) {
  return fault.replace(/^[a-z]+(?:_[a-z]+)*(?=:|$)/, (code) => codeWords(code));
}

/** Read the venue's table of codes once. */
export async function learnWords() {
  try {
    const answer = await get("/errors");
    titles = new Map((answer.data ?? answer).map((row) => [row.code, row.title]));
  } catch {
    // The codes themselves are readable enough.
  }
}

/** "12 lots" */
export function lots(text) {
  return `${text} ${text === "1" ? "lot" : "lots"}`;
}

/** "tokens" or "token", by how many. */
export function units(amount, unit) {
  return amount === "1" && unit.endsWith("s") ? unit.slice(0, -1) : unit;
}
