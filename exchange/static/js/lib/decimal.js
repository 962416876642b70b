// Exact decimal arithmetic on the texts of the wire. Nothing here is ever a float: a decimal is a BigInt of
// 10^-scale, and stays one until it is written back as text.

const SHAPE = /^(-?)(\d+)(?:\.(\d+))?$/;

/** How many decimals a text has ("1.250" has 3). */
export function decimalsOf(text) {
  const dot = text.indexOf(".");
  return dot < 0 ? 0 : text.length - dot - 1;
}

/** `text` as a BigInt of 10^-scale, or null when it is no plain decimal or has more decimals than `scale` can hold. */
export function scaled(text, scale) {
  const match = SHAPE.exec(text);
  if (!match) return null;
  const fraction = (match[3] ?? "").replace(/0+$/, "");
  if (fraction.length > scale) return null;
  const value = BigInt(match[2] + fraction.padEnd(scale, "0"));
  return match[1] ? -value : value;
}

/** A BigInt of 10^-scale as text with exactly `scale` decimals. */
export function fixed(value, scale) {
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const cut = digits.length - scale;
  return scale === 0 ? sign + digits : `${sign}${digits.slice(0, cut)}.${digits.slice(cut)}`;
}

/** Drop trailing zeros beyond `least` decimals: the venue's way of writing money. */
export function trimmed(text, least = 2) {
  const dot = text.indexOf(".");
  if (dot < 0) return text;
  let end = text.length;
  while (end - dot - 1 > least && text[end - 1] === "0") end -= 1;
  return end - dot - 1 === 0 ? text.slice(0, dot) : text.slice(0, end);
}

function aligned(a, b) {
  const scale = Math.max(decimalsOf(a), decimalsOf(b));
  return [scaled(a, scale), scaled(b, scale), scale];
}

export function compare(a, b) {
  const [x, y] = aligned(a, b);
  return x < y ? -1 : x > y ? 1 : 0;
}

export function add(a, b) {
  const [x, y, scale] = aligned(a, b);
  return fixed(x + y, scale);
}

export function subtract(a, b) {
  const [x, y, scale] = aligned(a, b);
  return fixed(x - y, scale);
}

/** The exact product; its decimals are those of both factors together. */
export function multiply(a, b) {
  const left = decimalsOf(a);
  const right = decimalsOf(b);
  return fixed(scaled(a, left) * scaled(b, right), left + right);
}

/** How many whole times `divisor` goes into `amount` (both not negative), as a BigInt. */
export function wholeTimes(amount, divisor) {
  const [x, y] = aligned(amount, divisor);
  return y <= 0n || x < 0n ? 0n : x / y;
}

/** Is `price` a whole number of ticks? */
export function onTick(price, tick) {
  const [x, y] = aligned(price, tick);
  return x !== null && y > 0n && x % y === 0n;
}

/**
 * `price` moved by `count` ticks, written with `decimals` decimals and kept at one tick or above.
 * A price between two ticks goes to the next tick in that direction first.
 */
export function stepped(price, tick, count, decimals) {
  const [x, y, scale] = aligned(price, tick);
  let ticks = x / y;
  if (x % y !== 0n && count < 0) ticks += 1n;
  ticks += BigInt(count);
  if (ticks < 1n) ticks = 1n;
  return fixed(scaled(fixed(ticks * y, scale), Math.max(scale, decimals)), Math.max(scale, decimals)).slice(
    0,
    scale > decimals ? decimals - scale : undefined,
  );
}

/** Thousands separated for reading: "1234567.5" as "1,234,567.5". */
export function grouped(text) {
  const match = SHAPE.exec(text);
  if (!match) return text;
  const whole = match[2].replace(/\B(?=(\d{3})+$)/g, ",");
  return match[1] + whole + (match[3] === undefined ? "" : `.${match[3]}`);
}

/** Large unit counts in words a reader takes in at once, exact when short: 12000000 is "12 M", 1250 "1,250". */
export function compact(text) {
  const value = BigInt(text.split(".")[0]);
  for (const [power, name] of [[12n, "T"], [9n, "B"], [6n, "M"]]) {
    const unit = 10n ** power;
    if (value >= unit) {
      const hundredths = (value * 100n) / unit;
      return `${grouped(trimmed(fixed(hundredths, 2), 0))}\u202f${name}`;
    }
  }
  return grouped(text);
}
