import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const GUIDES = readdirSync(resolve(ROOT, 'docs'))
  .filter((file) => file.endsWith('.md'))
  .map((file) => `docs/${file}`);
const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'libs/jobs/README.md',
  'apps/sample-api/README.md',
  ...GUIDES,
];

/** A page without its code blocks, in which `](` and `#` mean something else. */
function proseOf(file: string): string {
  return readFileSync(file, 'utf8').replaceAll(/^```[^]*?^```$/gm, '');
}

/** The names that GitHub gives to the headings of a page. */
function anchorsOf(file: string): string[] {
  return [...proseOf(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** The links of a page that lead to a file of the repository, or to a heading of one. */
function linksOf(page: string): { link: string; file: string; anchor: string | undefined }[] {
  const from = resolve(ROOT, page);
  return [...proseOf(from).matchAll(/\]\((?!https?:)(?<path>[^)#]*)(?:#(?<anchor>[^)]*))?\)/g)].map(({ groups }) => ({
    link: `${page}: ${groups!['path']}#${groups!['anchor'] ?? ''}`,
    file: groups!['path'] ? resolve(dirname(from), groups!['path']) : from,
    anchor: groups!['anchor'],
  }));
}

describe('the guides', () => {
  const links = PAGES.flatMap(linksOf);

  it('lead nowhere that is not there', () => {
    expect(links.length).toBeGreaterThan(20);
    const isDead = ({ file, anchor }: (typeof links)[number]): boolean =>
      !existsSync(file) || (anchor !== undefined && !anchorsOf(file).includes(anchor));
    expect(links.filter(isDead).map(({ link }) => link)).toEqual([]);
  });

  it('are all to be found from the README', () => {
    const found = linksOf('README.md').map(({ file }) => file);
    expect(GUIDES.filter((guide) => !found.includes(resolve(ROOT, guide)))).toEqual([]);
  });
});
