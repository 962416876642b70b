// The candle chart: history from the venue, the last candle kept up by the tape.

import { get } from "../lib/api.js";
import { bridge, candleOfWire, candlesOf, INTERVALS, startOf, withTrade } from "../lib/candles.js";
import { decimalsOf } from "../lib/decimal.js";
import { define, empty, h, loading, Part } from "../lib/dom.js";
import { colour, onTheme } from "../lib/theme.js";

const STORE = "candles";

/** For drawing only: the chart wants numbers. */
function drawn(candle) {
  return { time: candle.start, open: Number(candle.open), high: Number(candle.high), low: Number(candle.low), close: Number(candle.close) };
}

class Candles extends Part {
  async connect({ market }) {
    this.market = market;
    this.interval = INTERVALS[localStorage.getItem(STORE)] ? localStorage.getItem(STORE) : "1m";
    this.replaceChildren(loading("Loading the chart"));
    try {
      this.library = await import("../../vendor/lightweight-charts.mjs");
    } catch {
      this.replaceChildren(empty("The chart is not available", "The list of trades shows the same prices."));
      return;
    }
    market.addEventListener("fresh-trades", (event) => this.follow(event.detail));
    market.addEventListener("trades", () => this.candles?.length || this.load());
    onTheme(() => this.paint());
    new ResizeObserver(() => this.chart || this.changed()).observe(this);
    this.load();
  }

  choose(interval) {
    this.interval = interval;
    localStorage.setItem(STORE, interval);
    this.load();
  }

  /** History as the venue keeps it; gathered from the tape where it does not. */
  async load() {
    const { interval } = this;
    const seconds = INTERVALS[interval];
    let candles;
    try {
      const answer = await get(`/instruments/${this.market.symbol}/candles`, { interval, limit: 500 });
      candles = answer.data.map(candleOfWire);
    } catch {
      candles = candlesOf([...(this.market.trades ?? [])].reverse(), seconds);
    }
    if (interval !== this.interval) return;
    this.candles = candles;
    this.changed();
  }

  follow(trades) {
    if (!this.candles) return;
    const seconds = INTERVALS[this.interval];
    for (const trade of trades) {
      const start = startOf(trade.executed_at, seconds);
      const last = this.candles.at(-1);
      if (last && start < last.start) continue;
      if (last && start > last.start) {
        for (const gap of bridge(last, start, seconds)) this.push(gap);
      }
      const open = this.candles.at(-1);
      const same = open?.start === start;
      if (same) this.candles.pop();
      this.push(withTrade(same ? open : null, trade, start));
    }
    this.label();
  }

  push(candle) {
    this.candles.push(candle);
    if (!this.series) {
      this.changed();
      return;
    }
    this.series.update(drawn(candle));
    this.volumes.update(this.volume(candle));
  }

  draw() {
    if (!this.candles) return;
    if (!this.candles.length) {
      this.chart?.remove();
      this.chart = this.series = null;
      this.replaceChildren(empty("No trades to draw yet", "The first trade starts the first candle."));
      return;
    }
    if (!this.clientWidth) return; // not shown now: a chart built without a width never finds its scale
    if (!this.chart) this.build();
    this.series.setData(this.candles.map(drawn));
    this.volumes.setData(this.candles.map((candle) => this.volume(candle)));
    // Far enough out to see a shape, near enough to see the candles.
    const shown = Math.min(Math.max(this.candles.length, 40), 90);
    this.chart.timeScale().setVisibleLogicalRange({ from: this.candles.length - shown, to: this.candles.length + 3 });
    this.label();
  }

  build() {
    const { createChart, CandlestickSeries, HistogramSeries, CrosshairMode } = this.library;
    this.canvas = h("div", { class: "chart-canvas", role: "img" });
    this.replaceChildren(this.canvas);
    // The attribution the library asks for stands below the chart and at the page's foot, where our own styles reach it.
    this.chart = createChart(this.canvas, { autoSize: true, layout: { attributionLogo: false }, crosshair: { mode: CrosshairMode.Normal } });
    const decimals = decimalsOf(this.market.instrument?.tick_size ?? this.candles[0].close);
    this.series = this.chart.addSeries(CandlestickSeries, { priceFormat: { type: "price", precision: decimals, minMove: 10 ** -decimals } });
    this.volumes = this.chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
    this.chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.series.priceScale().applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
    this.paint();
  }

  /** A rising candle is hollow, a falling one filled: the direction shows without the colour. */
  paint() {
    if (!this.chart) return;
    const line = colour("line");
    this.chart.applyOptions({
      layout: { background: { color: colour("panel") }, textColor: colour("ink-3"), fontSize: 11, fontFamily: getComputedStyle(document.body).fontFamily },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      timeScale: { borderColor: line, timeVisible: true, secondsVisible: false },
      rightPriceScale: { borderColor: line, entireTextOnly: true },
    });
    const [buy, sell] = [colour("buy"), colour("sell")];
    this.washes = { up: colour("buy-wash"), down: colour("sell-wash") };
    this.series.applyOptions({ upColor: colour("panel"), borderUpColor: buy, wickUpColor: buy, downColor: sell, borderDownColor: sell, wickDownColor: sell, priceLineColor: colour("brass") });
    this.volumes.setData(this.candles.map((candle) => this.volume(candle)));
  }

  volume(candle) {
    const { up, down } = this.washes;
    return { time: candle.start, value: Number(candle.volume), color: Number(candle.close) >= Number(candle.open) ? up : down };
  }

  label() {
    const last = this.candles?.at(-1);
    if (this.canvas && last) {
      const text = `Candles of ${this.interval}: last ${last.close}, high ${last.high} and low ${last.low} of the latest candle`;
      this.canvas.setAttribute("aria-label", text);
    }
  }
}

/** The choice of interval, as one group of buttons. */
class Intervals extends HTMLElement {
  connect() {
    const chart = document.querySelector("sx-candles");
    const chosen = INTERVALS[localStorage.getItem(STORE)] ? localStorage.getItem(STORE) : "1m";
    const buttons = Object.keys(INTERVALS).map((interval) =>
      h(
        "button",
        {
          type: "button",
          "aria-pressed": String(interval === chosen),
          onclick: () => {
            buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.textContent === interval)));
            chart.choose(interval);
          },
        },
        interval,
      ),
    );
    this.replaceChildren(h("div", { class: "segments", role: "group", "aria-label": "Candle interval" }, ...buttons));
  }
}

define("sx-candles", Candles);
define("sx-intervals", Intervals);
