import { backends } from '../support/backends.js';
import { startSampleApi, type SampleApi } from '../support/sample-api.js';

describe.each(backends)('the files of the page of the sample API on $name', (backend) => {
  let api: SampleApi;
  beforeAll(async () => {
    api = await startSampleApi(backend);
  });
  afterAll(() => api?.stop());

  const get = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(api.url + path, { headers });

  it('[A1] the page is there, and may load nothing from elsewhere and run nothing that is written into it', async () => {
    const response = await get('/');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = response.headers.get('content-security-policy')!.split('; ');
    expect(policy).toEqual(
      expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]),
    );
    expect(policy.join()).not.toMatch(/unsafe|https?:|\*/);
    const html = await response.text();
    expect(html).not.toMatch(/<script(?![^>]* src="\/page\/)|<style|\sstyle=|\son\w+=|(src|href)="(https?:)?\/\//);
  });

  it.each([
    ['/page/page.css', 'text/css; charset=utf-8'],
    ['/page/main.js', 'text/javascript; charset=utf-8'],
    ['/page/icon.svg', 'image/svg+xml; charset=utf-8'],
  ])('%s comes as %s, and again only when it has changed', async (path, type) => {
    const response = await get(path);
    expect([response.status, response.headers.get('content-type')]).toEqual([200, type]);
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    // Without it, Node asks for a whole answer.
    const revalidate = { 'cache-control': 'max-age=0' };
    const again = await get(path, { ...revalidate, 'if-none-match': response.headers.get('etag')! });
    expect(again.status).toBe(304);
  });

  it('everything that the page names is there', async () => {
    const html = await (await get('/')).text();
    const named = [...html.matchAll(/(?:src|href)="(\/[^"]*)"/g)].map(([, path]) => path!);
    const scripts = named.filter((path) => path.endsWith('.js'));
    for (const script of scripts) {
      const imports = (await (await get(script)).text()).matchAll(/ from '\.\/([\w.-]+)'/g);
      for (const [, name] of imports) if (!scripts.includes(`/page/${name}`)) scripts.push(`/page/${name}`);
    }
    expect(scripts.length).toBeGreaterThan(5);
    const answers = [...named, ...scripts].map(async (path) => [path, (await get(path)).status]);
    expect(await Promise.all(answers)).toEqual([...named, ...scripts].map((path) => [path, 200]));
  });

  it.each([
    '/page/none.js',
    '/page/tsconfig.json',
    '/page/',
    '/page/..%2fpage.controller.js',
    '/page/%2e%2e%2f%2e%2e%2fmain.js',
    '/page/constructor',
    '/page/page.css%00',
  ])('%s is not', async (path) => {
    expect((await get(path)).status).toBe(404);
  });

  it('is no part of the description of the API', async () => {
    const { paths } = (await (await get('/docs-json')).json()) as { paths: Record<string, unknown> };
    expect(Object.keys(paths)).toContain('/jobs/{id}/events');
    expect(Object.keys(paths).filter((path) => path === '/' || path.startsWith('/page'))).toEqual([]);
  });
});
