import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { datasetPath } from './datasets.js';
import { generateReport } from './generate-report.js';

describe('generateReport', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'generate-report-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function generate(csvPath: string, groupBy: string, measure: string, source = 'a file') {
    const news: (string | number)[] = [];
    const observer = { stage: (name: string) => news.push(name), progress: (percent: number) => news.push(percent) };
    const figures = await generateReport({ csvPath, folder, source, groupBy, measure }, observer);
    return { figures, news };
  }

  async function fileWith(content: string): Promise<string> {
    const path = join(folder, 'input.csv');
    await writeFile(path, content);
    return path;
  }

  it('makes the figures of seattle-weather', async () => {
    const { figures } = await generate(datasetPath('seattle-weather') ?? '', 'weather', 'precipitation');

    expect(figures).toMatchObject({ rows: 1461, skipped: 0, groupCount: 5 });
    expect(figures.groups.map(({ group, count }) => [group, count])).toEqual([
      ['rain', 641],
      ['sun', 640],
      ['fog', 101],
      ['drizzle', 53],
      ['snow', 26],
    ]);
    // Python: csv.DictReader, statistics.fmean and statistics.quantiles(n=100, method='inclusive'); awk agrees on the sum.
    expect(figures.groups[0]).toEqual({
      group: 'rain',
      count: 641,
      sum: 4203.6,
      mean: 6.55787831513261,
      min: 0,
      max: 55.9,
      p50: 3.3,
      p95: 26.2,
    });
    expect(figures.groups[4]).toMatchObject({
      sum: 222.4,
      mean: 8.55384615384615,
      min: 0.3,
      max: 23.9,
      p50: 5.45,
      p95: 21.9,
    });
  });

  it('interpolates percentiles of temperatures as awk does', async () => {
    const { figures } = await generate(datasetPath('seattle-weather') ?? '', 'weather', 'temp_max');
    // awk over the sorted temp_max of rain: rank 0.95 * 640 = 608, value 22.8.
    expect(figures.groups.find(({ group }) => group === 'rain')?.p95).toBe(22.8);
  });

  it('tells stages in order and progress that only grows', async () => {
    const { news } = await generate(datasetPath('zipcodes') ?? '', 'state', 'latitude');
    expect(news.filter((item) => typeof item === 'string')).toEqual(['VALIDATING', 'PROCESSING', 'RENDERING']);
    const percents = news.filter((item) => typeof item === 'number');
    expect(percents).toEqual(percents.toSorted((a, b) => a - b));
    expect(percents.at(-1)).toBe(100);
    expect(new Set(percents).size).toBeGreaterThan(10);
  });

  it('writes a PDF with title, figures and group names', async () => {
    await generate(datasetPath('seattle-weather') ?? '', 'weather', 'precipitation', 'seattle-weather');
    const pdf = await readFile(join(folder, 'report.pdf'));
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    const text = textOf(pdf);
    for (const expected of [
      'precipitation by weather',
      'seattle-weather',
      '1,461',
      'snow',
      '8.55',
      '4,203.6',
      'Page 1 of 1',
    ]) {
      expect(text).toContain(expected);
    }
  });

  it('puts a long list of groups on several pages, with the small ones together', async () => {
    await generate(datasetPath('birdstrikes') ?? '', 'Origin State', 'Cost Total $');
    const text = textOf(await readFile(join(folder, 'report.pdf')));
    expect(text).toContain('9 others');
    expect(text).toContain('Page 2 of 2');
  });

  it('gives 50 groups and short names in the result, and everything in the CSV', async () => {
    const name = 'x'.repeat(300);
    const rows = Array.from({ length: 60 }, (_, index) => `${name}${index},${index}`);
    const { figures } = await generate(await fileWith(`g,m\n${rows.join('\n')}`), 'g', 'm');
    expect(figures.groupCount).toBe(60);
    expect(figures.groups).toHaveLength(50);
    expect(figures.groups[0]?.group).toHaveLength(101);
    const lines = (await readFile(join(folder, 'summary.csv'), 'utf8')).trimEnd().split('\n');
    expect(lines).toHaveLength(61);
    expect(lines[1]).toBe(`${name}59,1,59,59,59,59,59,59`);
  });

  it('replaces what an earlier run left, half files too', async () => {
    await writeFile(join(folder, 'report.pdf'), 'old');
    await writeFile(join(folder, 'report.pdf.1234.part'), 'half');
    await generate(await fileWith('g,m\na,1\n'), 'g', 'm');
    expect((await readdir(folder)).toSorted()).toEqual(['input.csv', 'report.pdf', 'summary.csv']);
    expect((await readFile(join(folder, 'report.pdf'))).subarray(0, 5).toString()).toBe('%PDF-');
  });

  it('writes no files for a file it cannot use', async () => {
    const order = generate(await fileWith('g,m\na,x\n'), 'g', 'm');
    await expect(order).rejects.toMatchObject({ code: 'VALUE_NOT_NUMERIC' });
    expect(await readdir(folder)).toEqual(['input.csv']);
  });

  it('survives numbers, names and columns of any kind', async () => {
    const rows = ['東京,1e300', '=cmd(),-1e300', ',0', `${'W'.repeat(500)},1e-9`];
    const { figures } = await generate(
      await fileWith(`${'c'.repeat(190)},m\n${rows.join('\n')}`),
      'c'.repeat(190),
      'm',
    );
    expect(figures.groupCount).toBe(4);
    expect(textOf(await readFile(join(folder, 'report.pdf')))).toContain('(empty)');
  });
});

/** pdfkit writes text as hex strings in compressed streams. */
function textOf(pdf: Buffer): string {
  const lines: string[] = [];
  for (let at = pdf.indexOf('stream\n'); at !== -1; at = pdf.indexOf('\nstream\n', at)) {
    const start = pdf.indexOf('stream\n', at) + 'stream\n'.length;
    const end = pdf.indexOf('\nendstream', start);
    const content = inflateSync(pdf.subarray(start, end)).toString('latin1');
    for (const [, pieces = ''] of content.matchAll(/\[([^\]]*)\] TJ/g)) {
      const hex = Array.from(pieces.matchAll(/<([0-9a-f]*)>/g), ([, digits = '']) => digits).join('');
      lines.push(Buffer.from(hex, 'hex').toString('latin1'));
    }
    at = end;
  }
  return lines.join('\n');
}
