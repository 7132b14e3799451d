/** Round steps (1, 2, 2.5 or 5 times a power of ten) from below the smallest value, or zero, to above the largest. */
export function roundTicks(smallest: number, largest: number, wanted = 5): number[] {
  const low = Math.min(0, smallest);
  const high = Math.max(0, largest);
  if (low === high) {
    return [0, 1];
  }
  const rough = (high - low) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5].find((factor) => factor * power >= rough) ?? 10) * power;
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}
