/**
 * The q-quantile (q from 0 to 1) of ascending values, exact, with linear interpolation between the two closest ranks:
 * the value at rank q * (n - 1). NumPy's default, Excel's PERCENTILE.INC and R's type 7 give the same number.
 */
export function percentile(ascending: Float64Array, q: number): number {
  const rank = q * (ascending.length - 1);
  const below = Math.floor(rank);
  const lower = ascending[below];
  if (lower === undefined) {
    return Number.NaN;
  }
  const upper = ascending[below + 1] ?? lower;
  const share = rank - below;
  // Interpolating costs the last digits of a double; values that are in the file stay as they are.
  return share === 0 ? lower : Number((lower + (upper - lower) * share).toPrecision(14));
}
