import { fork } from 'node:child_process';
import { once } from 'node:events';

/** A module that runs in a process of its own and answers what it is asked, one request at a time. */
export interface Alone<Request, Answer> {
  ask(request: Request): Promise<Answer>;
  /** Ends the process, and rejects when it does not end well. */
  end(): Promise<void>;
}

/**
 * Starts a module in a process of its own, so that what was compiled and allocated before does not matter. The module
 * calls {@link serveParent}.
 */
export function startAlone<Request, Answer>(module: URL): Alone<Request, Answer> {
  // Reading source maps takes longer than booting what they are of. Flags like --cpu-prof are passed on.
  const execArgv = process.execArgv.filter((flag) => flag !== '--enable-source-maps');
  const child = fork(module, { execArgv });
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      reject(new Error(`${module.pathname} ended with ${signal ?? `exit code ${code}`} and gave no answer`));
    });
  });
  ended.catch(() => {});
  return {
    async ask(request) {
      const answered = once(child, 'message') as Promise<[{ value: Answer }]>;
      child.send({ request });
      const [{ value }] = await Promise.race([answered, ended]);
      return value;
    },
    async end() {
      const exited = once(child, 'exit') as Promise<[number | null, string | null]>;
      child.disconnect();
      const [code, signal] = await exited;
      if (code !== 0) throw new Error(`${module.pathname} ended with ${signal ?? `exit code ${code}`}`);
    },
  };
}

/** One request to a process of its own, which ends with it. */
export async function runAlone<Request, Answer>(module: URL, request: Request): Promise<Answer> {
  const alone = startAlone<Request, Answer>(module);
  const answer = await alone.ask(request);
  await alone.end();
  return answer;
}

/** Answers what {@link Alone} asks, until the parent ends it or ends itself. */
export function serveParent<Request>(answer: (request: Request) => Promise<unknown>): void {
  process.once('disconnect', () => process.exit());
  process.on('message', (message) => {
    // A rejection ends the process, and so the parent learns of it.
    void answer((message as { request: Request }).request).then((value) => process.send!({ value }));
  });
}
