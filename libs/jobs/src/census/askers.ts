/** How long (ms) figures are kept fresh for those who have asked. */
const REMEMBERED = 5 * 60_000;

/** How fresh figures have to be for those who asked in the last minutes. @internal */
export class Askers {
  /** By what they asked for, when they did so last. */
  private readonly askedAt = new Map<number, number>();

  add(maxAge: number): void {
    this.askedAt.set(maxAge, performance.now());
  }

  /** Undefined when nobody has asked for some minutes. */
  smallest(): number | undefined {
    const now = performance.now();
    for (const [maxAge, at] of this.askedAt) if (now - at > REMEMBERED) this.askedAt.delete(maxAge);
    return this.askedAt.size === 0 ? undefined : Math.min(...this.askedAt.keys());
  }
}
