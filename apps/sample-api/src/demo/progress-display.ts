import { Presets, SingleBar } from 'cli-progress';
import type { JobStatus } from 'nestjs-jobs';

export interface ProgressDisplay {
  show(status: JobStatus): void;
  end(): void;
}

/** A bar for people; lines for logs and pipes, where a bar would be noise. */
export function progressDisplay(output: NodeJS.WriteStream): ProgressDisplay {
  return output.isTTY ? new BarDisplay(output) : new LineDisplay(output);
}

class BarDisplay implements ProgressDisplay {
  private readonly bar: SingleBar;

  constructor(stream: NodeJS.WriteStream) {
    this.bar = new SingleBar(
      { format: '{bar} {percentage}%  {what}', hideCursor: true, stream },
      Presets.shades_classic,
    );
    this.bar.start(100, 0, { what: 'waiting' });
  }

  show(status: JobStatus): void {
    this.bar.update(percentOf(status), { what: describe(status) });
  }

  end(): void {
    this.bar.stop();
  }
}

class LineDisplay implements ProgressDisplay {
  private last = '';

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show(status: JobStatus): void {
    const line = `${String(percentOf(status)).padStart(3)}%  ${describe(status)}`;
    if (line !== this.last) {
      this.stream.write(`${line}\n`);
      this.last = line;
    }
  }

  end(): void {}
}

function percentOf({ state, progress }: JobStatus): number {
  if (state === 'succeeded') {
    return 100;
  }
  return typeof progress === 'number' ? Math.floor(progress) : 0;
}

function describe({ state, stage, attempt }: JobStatus): string {
  const again = attempt > 1 ? ` (attempt ${attempt})` : '';
  return `${[stage?.name, state].filter(Boolean).join(', ')}${again}`;
}
