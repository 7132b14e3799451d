/**
 * Reads a pattern of task names: `*` stands for any characters, also for none and for dots, `?` for exactly one, all
 * else for itself.
 *
 * @internal
 */
export function taskPattern(pattern: string): RegExp {
  // Two stars say what one says, and a row of them would make a long search of a short name.
  const source = pattern.replaceAll(/\*+|\?|[^*?]+/g, (part) => {
    if (part.startsWith('*')) return '.*';
    return part === '?' ? '.' : part.replaceAll(/[\\^$.|+()[\]{}]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'su');
}
