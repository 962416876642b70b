// Moments as the venue writes them (RFC 3339, UTC), read by people.

const pad = (number, width = 2) => String(number).padStart(width, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "14:05:09" in UTC. */
export function clockTime(moment) {
  const at = new Date(moment);
  return `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`;
}

/** "1 Dec 14:05" in UTC; the year only when it is not this one. */
export function dayTime(moment, now = Date.now()) {
  const at = new Date(moment);
  const year = at.getUTCFullYear() === new Date(now).getUTCFullYear() ? "" : ` ${at.getUTCFullYear()}`;
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]}${year} ${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
}

/** A span of milliseconds as its two largest parts: "2 d 03 h", "1 h 07 m", "4 m 09 s", "9 s". */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days > 0) return `${days} d ${pad(hours)} h`;
  if (hours > 0) return `${hours} h ${pad(minutes)} m`;
  if (minutes > 0) return `${minutes} m ${pad(seconds % 60)} s`;
  return `${seconds} s`;
}

/** "in 4 m 09 s" or "3 h 10 m ago". */
export function relative(moment, now = Date.now()) {
  const distance = new Date(moment).getTime() - now;
  if (Math.abs(distance) < 1000) return "now";
  return distance > 0 ? `in ${span(distance)}` : `${span(-distance)} ago`;
}

/** "1 Dec 00:00 – 2 Dec 00:00 UTC", shortened when both ends share a day. */
export function windowText(start, end) {
  const from = dayTime(start);
  const to = dayTime(end);
  const sameDay = from.slice(0, -5) === to.slice(0, -5);
  return `${from} – ${sameDay ? to.slice(-5) : to} UTC`;
}
