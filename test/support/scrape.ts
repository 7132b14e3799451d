export interface ScrapedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** What a process told when it was scraped. */
export class Scrape {
  readonly samples: readonly ScrapedSample[];

  constructor(readonly text: string) {
    this.samples = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [, name, labels = '', value] = LINE.exec(line) ?? [];
        if (name === undefined) throw new Error(`This is no sample: ${line}`);
        return {
          name,
          labels: Object.fromEntries(Array.from(labels.matchAll(LABEL), ([, k, v]) => [k, v])),
          value: Number(value),
        };
      });
  }

  static async of(url: string): Promise<Scrape> {
    const response = await fetch(`${url}/metrics`);
    if (response.status !== 200) throw new Error(`${url}/metrics answers ${response.status}`);
    return new Scrape(await response.text());
  }

  /** Those of one metric with at least these labels. */
  of(name: string, labels: Readonly<Record<string, string>> = {}): ScrapedSample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter((sample) => sample.name === name && wanted.every(([k, v]) => sample.labels[k] === v));
  }

  /** Their sum; 0 when there are none. */
  sum(name: string, labels?: Readonly<Record<string, string>>): number {
    return this.of(name, labels).reduce((sum, { value }) => sum + value, 0);
  }
}

/** As Prometheus adds up what several processes tell. */
export function sumOver(scrapes: readonly Scrape[], name: string, labels?: Readonly<Record<string, string>>): number {
  return scrapes.reduce((sum, scrape) => sum + scrape.sum(name, labels), 0);
}
