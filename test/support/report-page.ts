import type { Browser, BrowserContext, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { eventually } from './eventually.js';

/** The page of the sample API in a browser, as its reader finds things: by their roles and names. */
export class ReportPage {
  /** What the browser complained of. */
  readonly complaints: string[] = [];
  /** Hosts that were asked for anything. */
  readonly hosts = new Set<string>();

  private constructor(
    readonly url: string,
    readonly context: BrowserContext,
    readonly page: Page,
  ) {
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) this.complaints.push(message.text());
    });
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('request', (request) => this.hosts.add(new URL(request.url()).host));
  }

  /** @param path - with the hash of a job, say. */
  static async open(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
    path = '/',
  ): Promise<ReportPage> {
    const context = await browser.newContext(options);
    const opened = new ReportPage(url, context, await context.newPage());
    await opened.page.goto(url + path);
    return opened;
  }

  get start(): Locator {
    return this.page.getByRole('button', { name: 'Make the report' });
  }

  get cancel(): Locator {
    return this.page.getByRole('button', { name: 'Cancel' });
  }

  get again(): Locator {
    return this.page.getByRole('button', { name: 'Make another report' });
  }

  get chart(): Locator {
    return this.page.getByRole('img');
  }

  get job(): Locator {
    return this.page.getByRole('region', { name: 'Job' });
  }

  async chooseFile(name: string, content: string): Promise<void> {
    await this.page.getByRole('radio', { name: 'A CSV file of mine' }).check();
    const buffer = Buffer.from(content);
    await this.page.getByLabel('CSV file', { exact: true }).setInputFiles({ name, mimeType: 'text/csv', buffer });
  }

  /** Starts a report that takes its time, of nearly as many rows as are taken: to be cancelled. */
  async startLargeReport(): Promise<void> {
    await this.chooseFile('large.csv', `name,value\n${'x,1\n'.repeat(2_000_000)}`);
    await eventually(() => this.start.isEnabled());
    await eventually(async () => (await this.columns()).join() === 'name,value');
    await this.start.click();
  }

  /** What is chosen to group by, and to measure. */
  columns(): Promise<string[]> {
    const chosen = ['Group by', 'Measure'].map((label) => this.page.getByLabel(label, { exact: true }).inputValue());
    return Promise.all(chosen);
  }

  /** Waits until the job's panel says so. */
  async untilSaid(text: string | RegExp): Promise<void> {
    await this.job.getByText(text).waitFor({ timeout: 50_000 });
  }

  /** The id of the element that has the focus, or of the thing that it is. */
  focused(): Promise<string> {
    return this.page.evaluate<string>('document.activeElement.id || document.activeElement.tagName');
  }

  /** Presses Tab until that has the focus. */
  async tabTo(target: Locator): Promise<void> {
    for (let presses = 0; presses < 40; presses++) {
      await this.page.keyboard.press('Tab');
      if ((await target.and(this.page.locator(':focus')).count()) > 0) return;
    }
    throw new Error(`Tab does not lead to ${String(target)}; the focus is on ${await this.focused()}`);
  }

  /** As a file manager does it. */
  async drop(name: string, content: string): Promise<void> {
    const make = `(() => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([${JSON.stringify(content)}], ${JSON.stringify(name)}, { type: 'text/csv' }));
      return transfer;
    })()`;
    const dataTransfer = await this.page.evaluateHandle(make);
    await this.page.dispatchEvent('h1', 'dragover', { dataTransfer });
    await this.page.dispatchEvent('h1', 'drop', { dataTransfer });
  }

  /** Whether something is wider than the window. */
  overflows(): Promise<boolean> {
    return this.page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
