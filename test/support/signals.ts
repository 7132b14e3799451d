/** A promise that a test settles from elsewhere: how tests and the tasks they run wait for one another. */
export interface Signal<T = void> {
  readonly reached: Promise<T>;
  reach(value: T): void;
}

export function signal<T = void>(): Signal<T> {
  let reach!: (value: T) => void;
  const reached = new Promise<T>((resolve) => (reach = resolve));
  return { reached, reach };
}
