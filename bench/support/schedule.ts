/** When jobs come, in milliseconds after the start, ascending. */
export type Arrivals = readonly number[];

/** Independent arrivals, `rate` a second on average: the gaps of users who do not know of each other. */
export function poisson(count: number, rate: number, random: () => number): number[] {
  return gaps(count, () => (-Math.log(1 - random()) * 1_000) / rate);
}

/** Gaps between `least` and `most` milliseconds. */
export function spaced(count: number, [least, most]: readonly [number, number], random: () => number): number[] {
  return gaps(count, () => least + random() * (most - least));
}

/** One after the other, with a pause in milliseconds between them. */
export function inSequence(phases: readonly Arrivals[], pause: number): Arrivals {
  let offset = 0;
  return phases.flatMap((arrivals) => {
    const shifted = arrivals.map((time) => offset + time);
    offset = shifted.at(-1)! + pause;
    return shifted;
  });
}

/** The same numbers for the same seed (mulberry32), so that all variants meet the same arrivals. */
export function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function gaps(count: number, gap: () => number): number[] {
  let time = 0;
  return Array.from({ length: count }, () => (time += gap()));
}
