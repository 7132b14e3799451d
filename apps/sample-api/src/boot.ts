import { EnvironmentError } from './config/environment.js';

/** Runs the start of a process. What its operator can put right is told in a message, anything else with its stack. */
export async function boot(start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    process.stderr.write(`${describe(error)}\n`);
    process.exit(1);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) {
    return String(error);
  }
  const portInUse = 'code' in error && error.code === 'EADDRINUSE';
  if (portInUse) {
    return `${error.message}\nSet PORT to another port, or to 0 for any free one.`;
  }
  const forOperators = error instanceof EnvironmentError || error.message.startsWith('nestjs-jobs: ');
  return forOperators ? error.message : (error.stack ?? error.message);
}
