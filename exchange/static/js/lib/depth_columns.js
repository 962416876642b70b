// The book as the depth chart draws it. Drawing is the one place where prices become floats; nothing is computed from what is drawn.

const FAR = 4;

/** Levels without those that lie so far off that the rest would be a line: beyond four times the median distance from the best price. */
function inSight(bids, asks) {
  const off = (levels) => levels.map(([price]) => Math.abs(price - levels[0][0]));
  const distances = [...off(bids), ...off(asks)].sort((a, b) => a - b);
  const most = FAR * distances[Math.floor(distances.length / 2)];
  const near = (levels) => (most > 0 ? levels.filter(([price]) => Math.abs(price - levels[0][0]) <= most) : levels);
  return [near(bids), near(asks)];
}

/** Bid and ask sums by price as uPlot's columns: lowest price first, null where a side has nothing. */
export function depthColumns(book) {
  const sums = (levels) => {
    let sum = 0;
    return levels.map(([price, quantity]) => [Number(price), (sum += Number(quantity))]);
  };
  const [near, asks] = inSight(sums(book.bids), sums(book.asks));
  const bids = near.reverse();
  return [
    [...bids, ...asks].map(([price]) => price),
    [...bids.map(([, sum]) => sum), ...asks.map(() => null)],
    [...bids.map(() => null), ...asks.map(([, sum]) => sum)],
  ];
}
