/** Settles as `work` does, or rejects with what `onTimeout` makes when `timeout` ms have passed first. @internal */
export async function withTimeout<T>(work: Promise<T>, timeout: number, onTimeout: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(onTimeout()), timeout);
  });
  try {
    return await Promise.race([work, expired]);
  } finally {
    clearTimeout(timer);
  }
}
