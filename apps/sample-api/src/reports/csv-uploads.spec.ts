import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ConfigService } from '@nestjs/config';
import { MOST_UPLOAD_BYTES } from '../csv/receive-csv.js';
import { CsvUploads } from './csv-uploads.js';
import { ReportStore } from './report-store.js';

describe('CsvUploads', () => {
  let folder: string;
  let store: ReportStore;
  let uploads: CsvUploads;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'csv-uploads-'));
    store = new ReportStore(new ConfigService({ REPORTS_DIR: folder }));
    uploads = new CsvUploads(store);
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  const kept = () => readdir(join(folder, 'uploads')).catch(() => []);

  it('keeps the body as a file', async () => {
    const id = await uploads.receive(Readable.from([Buffer.from('a,b\n'), Buffer.from('1,2\n')]), undefined);
    expect(await readFile(store.uploadPath(id), 'utf8')).toBe('a,b\n1,2\n');
    expect(await kept()).toEqual([`${id}.csv`]);
  });

  it('takes exactly the limit and an empty body', async () => {
    await uploads.receive(Readable.from([Buffer.alloc(MOST_UPLOAD_BYTES, 'a')]), undefined);
    await uploads.receive(Readable.from([]), 0);
    expect(await kept()).toHaveLength(2);
  });

  it('refuses a body that is announced too large without reading it', async () => {
    const body = Readable.from([Buffer.from('a')]);
    await expect(uploads.receive(body, MOST_UPLOAD_BYTES + 1)).rejects.toMatchObject({ status: 413 });
    expect(await kept()).toEqual([]);
  });

  it('stops at the limit, removes what it wrote and takes the rest off the wire, so that the answer is read', async () => {
    const piece = Buffer.alloc(MOST_UPLOAD_BYTES / 4, 'a');
    const body = Readable.from(Array<Buffer>(8).fill(piece));
    const drained = once(body, 'end');
    await expect(uploads.receive(body, undefined)).rejects.toMatchObject({
      status: 413,
      message: expect.stringContaining('10 MB') as string,
    });
    expect(body.destroyed).toBe(false);
    expect(await kept()).toEqual([]);
    await drained;
  });

  it('removes what it wrote when the client goes away', async () => {
    let pieces = 0;
    const body = new Readable({
      read() {
        pieces += 1;
        if (pieces === 1) {
          this.push('a,b\n');
        } else {
          this.destroy(new Error('aborted'));
        }
      },
    });
    await expect(uploads.receive(body, undefined)).rejects.toMatchObject({ status: 400 });
    expect(await kept()).toEqual([]);
  });
});

describe('ReportStore', () => {
  const store = new ReportStore(new ConfigService({ REPORTS_DIR: tmpdir() }));

  it.each([
    '..',
    '.',
    '../x',
    'reports_../../etc',
    'reports_a/b',
    'reports_a\\b',
    '',
    'uploads',
    'reports_',
    'reports_%2e%2e',
  ])('has no folder for %j', async (id) => {
    expect(() => store.folderOf(id)).toThrow('is not the id of a job');
    expect(await store.openFile(id, 'report.pdf')).toBeUndefined();
  });

  it('gives each job a folder of its own', () => {
    expect(store.folderOf('reports_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11')).toBe(
      join(tmpdir(), 'reports_0198c7a2-6d3e-7c41-9a55-3f0f6f1f2b11'),
    );
  });

  it('has no file of an unknown report', async () => {
    expect(await store.openFile('reports_unknown', 'report.pdf')).toBeUndefined();
  });
});
