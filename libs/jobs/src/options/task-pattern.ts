/** @internal */
export interface TaskPattern {
  test(name: string): boolean;
}

/**
 * Reads a pattern of task names: `*` stands for any characters, also for none and for dots, `?` for exactly one, all
 * else for itself.
 *
 * @internal
 */
export function taskPattern(pattern: string): TaskPattern {
  const signs = Array.from(pattern);
  return { test: (name) => fits(signs, Array.from(name)) };
}

/**
 * What a star took is given up again only for the last star, which finds whatever there is to be found. A regular
 * expression would try all of them: a pattern like `*?*?*?*!` would keep it busy for years.
 */
function fits(signs: readonly string[], name: readonly string[]): boolean {
  let star = -1;
  let restart = 0;
  let sign = 0;
  let at = 0;
  while (at < name.length) {
    if (signs[sign] === '*') {
      star = sign++;
      restart = at;
    } else if (sign < signs.length && (signs[sign] === '?' || signs[sign] === name[at])) {
      sign++;
      at++;
    } else if (star >= 0) {
      sign = star + 1;
      at = ++restart;
    } else {
      return false;
    }
  }
  while (signs[sign] === '*') sign++;
  return sign === signs.length;
}
