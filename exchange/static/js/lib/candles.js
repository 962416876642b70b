// Trades gathered into candles. Prices stay texts until the chart draws them.

import { add, compare } from "./decimal.js";

export const INTERVALS = { "1m": 60, "5m": 300, "15m": 900, "1h": 3600 };

/** The start of the candle a moment belongs to, in seconds since the epoch. */
export function startOf(moment, seconds) {
  const at = Math.floor(Date.parse(moment) / 1000);
  return at - (at % seconds);
}

/** `candle` after one more trade; null starts a new one. */
export function withTrade(candle, trade, start) {
  const { price, quantity } = trade;
  if (!candle) return { start, open: price, high: price, low: price, close: price, volume: quantity };
  return {
    start,
    open: candle.open,
    high: compare(price, candle.high) > 0 ? price : candle.high,
    low: compare(price, candle.low) < 0 ? price : candle.low,
    close: price,
    volume: add(candle.volume, quantity),
  };
}

/** Candles of trades given oldest first; spans without a trade repeat the last close with no volume. */
export function candlesOf(trades, seconds) {
  const candles = [];
  for (const trade of trades) {
    const start = startOf(trade.executed_at, seconds);
    const last = candles.at(-1);
    if (last && start > last.start) candles.push(...bridge(last, start, seconds));
    const open = candles.at(-1);
    if (open && open.start === start) candles[candles.length - 1] = withTrade(open, trade, start);
    else candles.push(withTrade(null, trade, start));
  }
  return candles;
}

/** The empty candles between `last` and `start`; at most a thousand, for a market that slept. */
export function bridge(last, start, seconds) {
  const gaps = [];
  for (let at = Math.max(last.start + seconds, start - 1000 * seconds); at < start; at += seconds) {
    gaps.push({ start: at, open: last.close, high: last.close, low: last.close, close: last.close, volume: "0" });
  }
  return gaps;
}

/** A candle of the API in this shape. */
export function candleOfWire(wire) {
  const { open, high, low, close } = wire;
  return { start: Math.floor(Date.parse(wire.start) / 1000), open, high, low, close, volume: wire.quantity };
}
