interface Slot<V> {
  value: V | undefined;
}

/**
 * A map of what is there for a moment only, one for each job. V8's Map makes its table anew again and again, and each old
 * table leads to the next: when one of them is taken for long-lived, whatever stood in those after it is kept until the
 * next full collection. Here that is an empty slot.
 *
 * @internal
 */
export class BriefMap<V extends object> {
  private readonly slots = new Map<string, Slot<V>>();

  get size(): number {
    return this.slots.size;
  }

  /** In the order in which they were set. */
  keys(): string[] {
    return [...this.slots.keys()];
  }

  /** In the order in which they were set. */
  values(): V[] {
    return Array.from(this.slots.values(), ({ value }) => value!);
  }

  has(key: string): boolean {
    return this.slots.has(key);
  }

  get(key: string): V | undefined {
    return this.slots.get(key)?.value;
  }

  set(key: string, value: V): void {
    const slot = this.slots.get(key);
    if (slot) slot.value = value;
    else this.slots.set(key, { value });
  }

  /** Does nothing when another value has taken its place. */
  delete(key: string, value: V): void {
    const slot = this.slots.get(key);
    if (slot?.value !== value) return;
    this.slots.delete(key);
    slot.value = undefined;
  }
}
