import { fork } from 'node:child_process';

/**
 * Runs a module in a process of its own, so that what was compiled and allocated before does not matter. The module
 * calls {@link serveParent}.
 */
export function runAlone<Request, Answer>(module: URL, request: Request): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const child = fork(module);
    let answer: { value: Answer } | undefined;
    child.once('error', reject);
    child.once('message', (value) => (answer = { value: value as Answer }));
    child.once('exit', (code, signal) => {
      if (answer !== undefined && code === 0) resolve(answer.value);
      else reject(new Error(`${module.pathname} ended with ${signal ?? `exit code ${code}`} and gave no answer`));
    });
    child.send(request as object);
  });
}

/** Does the one piece of work that {@link runAlone} asks for, and ends with the parent. */
export function serveParent<Request>(work: (request: Request) => Promise<unknown>): void {
  process.once('disconnect', () => process.exit());
  process.once('message', (request) => {
    // A rejection ends the process, and so the parent learns of it.
    void work(request as Request).then((answer) => process.send!(answer, () => process.disconnect()));
  });
}
