const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumSignificantDigits: 4 });
const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
const twoDecimals = new Intl.NumberFormat('en-US', { maximumFractionDigits: 2 });
const fewDigits = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

/** Short enough for a table cell, exact enough to compare: 3.04, 1,234.5, 12.35M, 0.00123. The CSV has all digits. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e15 || (size > 0 && size < 1e-6)) {
    return value.toExponential(2);
  }
  if (size >= 1e7) {
    return compact.format(value);
  }
  if (Number.isInteger(value)) {
    return whole.format(value);
  }
  return (size >= 1000 ? oneDecimal : size >= 1 ? twoDecimals : fewDigits).format(value);
}

export function formatCount(value: number): string {
  return value >= 1e7 ? compact.format(value) : whole.format(value);
}
