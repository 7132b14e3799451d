import { Presets, SingleBar } from 'cli-progress';
import type { JobStatus } from 'nestjs-jobs';
import type { JobNews } from './job-news.js';

const LOST = 'the connection was lost, reconnecting';

export interface ProgressDisplay {
  show(news: JobNews): void;
  end(): void;
}

/** A bar for people; lines for logs and pipes, where a bar would be noise. */
export function progressDisplay(output: NodeJS.WriteStream): ProgressDisplay {
  return output.isTTY ? new BarDisplay(output) : new LineDisplay(output);
}

class BarDisplay implements ProgressDisplay {
  private readonly bar: SingleBar;
  /** Written below the bar: lines in between would tear it. */
  private readonly log: string[] = [];

  constructor(private readonly stream: NodeJS.WriteStream) {
    this.bar = new SingleBar(
      { format: '{bar} {percentage}%  {what}', hideCursor: true, stream },
      Presets.shades_classic,
    );
    this.bar.start(100, 0, { what: 'waiting' });
  }

  show(news: JobNews): void {
    if (news.kind === 'status') this.bar.update(percentOf(news.status), { what: describe(news.status) });
    else if (news.kind === 'lost') this.bar.update({ what: LOST });
    else this.log.push(news.line);
  }

  end(): void {
    this.bar.stop();
    for (const line of this.log) this.stream.write(logged(line));
  }
}

class LineDisplay implements ProgressDisplay {
  private last = '';

  constructor(private readonly stream: NodeJS.WriteStream) {}

  show(news: JobNews): void {
    if (news.kind === 'log') {
      this.stream.write(logged(news.line));
      return;
    }
    const line = news.kind === 'lost' ? `      ${LOST}` : lineOf(news.status);
    if (line !== this.last) {
      this.stream.write(`${line}\n`);
      this.last = line;
    }
  }

  end(): void {}
}

/** A task writes whatever it likes, and that may have been sent to it. */
function asText(written: string): string {
  return written.replaceAll(/\p{Cc}/gu, '');
}

function logged(line: string): string {
  return `      logged: ${asText(line)}\n`;
}

function lineOf(status: JobStatus): string {
  return `${String(percentOf(status)).padStart(3)}%  ${describe(status)}`;
}

function percentOf({ state, progress }: JobStatus): number {
  if (state === 'succeeded') {
    return 100;
  }
  return typeof progress === 'number' ? Math.floor(progress) : 0;
}

function describe({ state, stage, attempt }: JobStatus): string {
  const again = attempt > 1 ? ` (attempt ${attempt})` : '';
  return `${[stage && asText(stage.name), state].filter(Boolean).join(', ')}${again}`;
}
