// The depth of the book: how much could be bought or sold down to each price.

import { decimalsOf } from "../lib/decimal.js";
import { depthColumns } from "../lib/depth_columns.js";
import { define, empty, loading, Part, setAttribute } from "../lib/dom.js";
import { colour, onTheme } from "../lib/theme.js";

const AXIS = '11px ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif';

class Depth extends Part {
  async connect({ market }) {
    this.market = market;
    this.replaceChildren(loading("Loading the depth chart"));
    try {
      const { default: UPlot } = await import("../../vendor/uplot.mjs");
      this.UPlot = UPlot;
    } catch {
      this.replaceChildren(empty("The depth chart is not available", "The ladder shows the same levels."));
      return;
    }
    market.addEventListener("book", () => this.changed());
    onTheme(() => this.rebuild());
    new ResizeObserver(() => this.resize()).observe(this);
    this.changed();
  }

  rebuild() {
    this.plot?.destroy();
    this.plot = null;
    this.changed();
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this;
    if (this.plot && width && height) this.plot.setSize({ width, height });
    else this.changed();
  }

  draw() {
    const { book } = this.market;
    if (!this.UPlot || !book.proven || !this.clientWidth || !this.clientHeight) return;
    if (book.bids.length + book.asks.length < 2) {
      this.plot?.destroy();
      this.plot = null;
      this.replaceChildren(empty("Too little rests for a depth chart"));
      return;
    }
    const data = depthColumns(book);
    if (this.plot) this.plot.setData(data);
    else this.build(data);
    const total = (levels) => levels.reduce((sum, level) => sum + BigInt(level[1]), 0n);
    setAttribute(this.plot.root, "aria-label", `Depth: ${total(book.bids)} lots bid and ${total(book.asks)} lots offered within the best ${Math.max(book.bids.length, book.asks.length)} levels`);
  }

  build(data) {
    const { UPlot } = this;
    this.decimals = decimalsOf([...this.market.book.bids, ...this.market.book.asks][0][0]);
    const axis = { stroke: colour("ink-3"), font: AXIS, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    const side = (label, name, align) => ({
      label,
      stroke: colour(name),
      fill: colour(`${name}-wash`),
      width: 1.5,
      dash: name === "sell" ? [5, 3] : undefined,
      paths: UPlot.paths.stepped({ align }),
      points: { show: false },
    });
    this.replaceChildren();
    this.plot = new UPlot(
      {
        width: this.clientWidth,
        height: this.clientHeight,
        padding: [10, 22, 0, 0], // half of the last price's label stands right of it
        scales: { x: { time: false }, y: { range: (_, __, max) => [0, max * 1.05] } },
        cursor: { drag: { x: false, y: false }, points: { size: 6 } },
        legend: { show: false },
        axes: [
          { ...axis, size: 24, space: 70, values: (_, values) => values.map((value) => value.toFixed(this.decimals)) },
          { ...axis, size: 54, values: (_, values) => values.map((value) => Intl.NumberFormat("en", { notation: "compact" }).format(value)) },
        ],
        series: [{}, side("Bids", "buy", -1), side("Asks", "sell", 1)],
      },
      data,
      this,
    );
    this.plot.root.setAttribute("role", "img");
  }
}

define("sx-depth", Depth);
