import { readFile } from 'node:fs/promises';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { backends } from '../support/backends.js';
import { startBrowser } from '../support/browser.js';
import { eventually } from '../support/eventually.js';
import { ReportPage } from '../support/report-page.js';
import { startSampleApi, type SampleApi } from '../support/sample-api.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { isFull } from '../support/test-form.js';

describe.each(isFull ? backends : backends.slice(0, 1))('the page of the sample API on $name', (backend) => {
  let browser: Browser;
  let api: SampleApi;
  const opened: ReportPage[] = [];
  beforeAll(async () => {
    [browser, api] = await Promise.all([startBrowser(), startSampleApi(backend, { REPORT_THREADS: '3' })]);
  });
  afterAll(() => Promise.all([browser?.close(), api?.stop()]));
  afterEach(() => Promise.all(opened.splice(0).map((page) => page.close())));

  async function open(options?: BrowserContextOptions, path?: string, url = api.url): Promise<ReportPage> {
    const page = await ReportPage.open(browser, url, options, path);
    opened.push(page);
    return page;
  }

  it('[A1] [A2] [A4] makes a report of a dataset by keyboard alone, to chart, numbers and files', async () => {
    const reports = await open();
    const { page } = reports;
    await reports.tabTo(page.getByLabel('Dataset', { exact: true }));
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowUp');
    await reports.tabTo(page.getByLabel('Measure', { exact: true }));
    await page.keyboard.press('ArrowDown');
    expect(await reports.columns()).toEqual(['weather', 'temp_max']);
    await reports.tabTo(reports.start);
    await page.keyboard.press('Enter');
    await eventually(async () => (await reports.focused()) === 'job-heading');
    await reports.chart.waitFor();
    expect(await page.getByRole('status').first().textContent()).toBe('The report is ready.');
    expect(await page.getByRole('heading', { name: 'temp_max by weather', exact: true }).isVisible()).toBe(true);
    expect(await page.getByText('1,461 rows of seattle-weather; 5 groups.').isVisible()).toBe(true);
    expect(await reports.chart.locator('rect').count()).toBe(5);
    expect(await page.getByRole('listitem').allTextContents()).toEqual([
      'Check the columns, done',
      'Read the rows, done',
      'Draw the report, done',
    ]);
    expect(await page.getByRole('table').getByRole('row').count()).toBe(7);
    const rain = page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: 'rain' }) });
    expect(await rain.getByRole('cell').first().textContent()).toBe('641');

    const csv = page.getByRole('link', { name: /CSV/ });
    await reports.tabTo(csv);
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    expect((await readFile(await download.path(), 'utf8')).split('\n')[0]).toBe(
      'weather,count,sum,mean,min,max,p50,p95',
    );
    const link = await page.getByRole('link', { name: /PDF/ }).getAttribute('href');
    const pdf = await page.request.get(api.url + link!);
    expect([pdf.status(), pdf.headers()['content-type']]).toEqual([200, 'application/pdf']);

    const before = await reports.chart.getByText('Mean of').textContent();
    await page.getByLabel('Bars show').selectOption('Rows');
    expect([before, await reports.chart.locator('title').first().textContent()]).toEqual([
      'Mean of temp_max by weather',
      'Rows by weather',
    ]);

    await reports.again.focus();
    await page.keyboard.press('Enter');
    expect(await reports.focused()).toBe('from-dataset');
    expect(await reports.job.isVisible()).toBe(false);
    expect(await reports.chart.isVisible()).toBe(false);
    await page.goBack();
    await reports.chart.waitFor();
    expect(reports.complaints).toEqual([]);
    expect([...reports.hosts]).toEqual([new URL(api.url).host]);
  });

  it('[A1] [A4] makes a report of a file that is dropped, and takes what is in it for text', async () => {
    const reports = await open();
    const { page } = reports;
    const markup = '<img src=/none onerror=alert(1)>';
    await reports.drop('mine.csv', `id;${markup};amount\n1;${markup};2.5\n2;plain;-4\n`);
    await eventually(async () => (await reports.columns()).join() === `${markup},id`);
    await page.getByLabel('Measure', { exact: true }).selectOption('amount');
    await reports.start.click();
    await reports.chart.waitFor();
    expect(await page.getByRole('rowheader').allTextContents()).toEqual([markup, 'plain', 'All rows']);
    expect(await reports.chart.locator('title').allTextContents()).toEqual([
      `Mean of amount by ${markup}`,
      `${markup}: 2.5`,
      'plain: -4',
    ]);
    expect(await page.locator('img').count()).toBe(0);
    expect(reports.complaints).toEqual([]);
  });

  it('[A2] says what is wrong with a file: what it sees itself at once, the rest when the job has failed', async () => {
    const reports = await open();
    const { page } = reports;
    await page.getByRole('radio', { name: 'A CSV file of mine' }).check();
    await reports.start.click();
    const alert = page.getByRole('alert').first();
    expect(await alert.textContent()).toBe('Choose a CSV file first.');
    expect(await reports.focused()).toBe('file');
    await reports.chooseFile('empty.csv', '');
    await eventually(async () => /empty\.csv is empty/.test((await alert.textContent())!));

    await reports.chooseFile('words.csv', 'a,b\nx,many\n');
    await eventually(async () => (await reports.columns()).join() === 'a,b');
    expect(await alert.textContent()).toBe('');
    await reports.start.click();
    await reports.untilSaid(
      /The report could not be made\. The value "many" in the column "b" on line 2 is not a number/,
    );
    expect(await page.getByText('failed', { exact: true }).isVisible()).toBe(true);
    expect(await reports.chart.isVisible()).toBe(false);

    await reports.chooseFile('numbers.csv', 'a,b\nx,1\n');
    await eventually(async () => (await reports.columns()).join() === 'a,b');
    await reports.start.click();
    await reports.chart.waitFor();
    expect(reports.complaints).toEqual([]);
  });

  it('[A4] goes on watching after a reload', async () => {
    const reports = await open();
    await reports.startLargeReport();
    await reports.untilSaid('The rows are being read.');
    const address = reports.page.url();
    const id = await reports.job.locator('code').textContent();
    expect(address).toBe(`${api.url}/#job=${id}`);
    await reports.page.reload();
    await reports.untilSaid('The rows are being read.');
    expect(await reports.job.locator('code').textContent()).toBe(id);
    await fetch(`${api.url}/jobs/${id}`, { method: 'DELETE' });
    await reports.untilSaid('The report was cancelled.');
    expect(reports.complaints).toEqual([]);
  });

  it('[A4] [A6] says that the connection is lost, and goes on and cancels the report when it is back', async () => {
    const proxy = await TcpProxy.to(Number(new URL(api.url).port));
    const reports = await open({}, '/', `http://127.0.0.1:${proxy.port}`);
    await reports.startLargeReport();
    await reports.untilSaid('The rows are being read.');
    proxy.refuse();
    await reports.untilSaid('The connection was lost. Reconnecting …');
    await reports.cancel.click();
    await reports.untilSaid('It was not cancelled. The server cannot be reached.');
    proxy.lift();
    await eventually(async () => (await reports.job.getByText('Reconnecting').count()) === 0);
    await reports.cancel.focus();
    await reports.page.keyboard.press('Enter');
    await reports.untilSaid('The report was cancelled.');
    expect(await reports.focused()).toBe('again');
    expect(await reports.cancel.isVisible()).toBe(false);
    await proxy.close();
  });

  it('[A2] asks again and again where events do not come through', async () => {
    const reports = await open();
    await reports.page.route('**/events', (route) => route.fulfill({ status: 502, body: 'no events here' }));
    await reports.startLargeReport();
    await reports.untilSaid(/the page asks every few seconds instead/);
    await reports.untilSaid('The rows are being read.');
    await reports.cancel.click();
    await reports.untilSaid('The report was cancelled.');
  });

  it('[A2] says when the server is away, and when there is no such job', async () => {
    const reports = await open();
    await reports.context.setOffline(true);
    await reports.start.click();
    await reports.page.getByText('The server cannot be reached. Is it running?').waitFor();
    expect(await reports.start.textContent()).toBe('Make the report');
    const other = await open({}, '/#job=reports_none');
    await other.untilSaid(/There is no job "reports_none"/);
    expect(await other.again.isVisible()).toBe(true);
  });

  it('[A1] is dark for who prefers that, still for who prefers that, and can be read in either', async () => {
    const reports = await open({ reducedMotion: 'reduce' });
    await reports.start.click();
    await reports.chart.waitFor();
    const backgrounds = new Set<string>();
    for (const colorScheme of ['light', 'dark'] as const) {
      await reports.page.emulateMedia({ colorScheme });
      backgrounds.add(await reports.page.evaluate<string>('getComputedStyle(document.body).backgroundColor'));
      expect(await reports.page.evaluate<string[]>(`(${textsTooFaint})()`)).toEqual([]);
    }
    expect(backgrounds.size).toBe(2);
    const moving = "[...document.querySelectorAll('*')].filter((e) => getComputedStyle(e).transitionDuration !== '0s')";
    expect(await reports.page.evaluate<number>(`${moving}.length`)).toBe(0);
    await reports.page.emulateMedia({ reducedMotion: 'no-preference' });
    expect(await reports.page.evaluate<number>(`${moving}.length`)).toBeGreaterThan(0);
  });

  it('[A1] fits into 320 pixels, and everything in it has a name', async () => {
    const reports = await open({ viewport: { width: 320, height: 640 } });
    const { page } = reports;
    await page.getByRole('radio', { name: 'A CSV file of mine' }).check();
    const unnamed = /^\s*- (button|link|combobox|radio|progressbar|img|region|table|list|heading|navigation)\b(?! ")/m;
    expect([await reports.overflows(), (await page.locator('body').ariaSnapshot()).match(unnamed)]).toEqual([
      false,
      null,
    ]);
    await reports.chooseFile(
      'a-file-with-a-name-that-is-longer-than-the-window.csv',
      `a-column-with-a-name-that-is-longer-than-the-window,b\n${'y'.repeat(90)},1234567.25\nz,-1234567.25\n`,
    );
    await eventually(async () => (await reports.columns()).at(-1) === 'b');
    await reports.start.click();
    await reports.chart.waitFor();
    expect(await reports.overflows()).toBe(false);
    const snapshot = await page.locator('body').ariaSnapshot();
    expect(snapshot.match(unnamed)).toBeNull();
    expect(snapshot).toMatch(/- banner:[^]*- main:[^]*- progressbar "Progress"[^]*- img "Mean of b by a-column/);
    expect(await page.evaluate<string>('document.documentElement.lang')).toBe('en');
    expect(reports.complaints).toEqual([]);
  });
});

/** Runs in the page: texts whose contrast to what is behind them is below that of WCAG's level AA. */
const textsTooFaint = `() => {
  const rgb = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = rgb(color).map((part) => part / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (rgb(color)[3] !== 0) return color;
    }
  };
  const texts = [...document.querySelectorAll('body *')].filter((e) =>
    e.checkVisibility() && [...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''));
  return texts.filter((e) => {
    const style = getComputedStyle(e);
    const [a, b] = [light(e instanceof SVGElement ? style.fill : style.color), light(behind(e))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
  }).map((e) => e.outerHTML);
}`;
