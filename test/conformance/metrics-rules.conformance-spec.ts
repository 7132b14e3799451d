import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promtool } from '../support/promtool.js';

const docs = (file: string): string => fileURLToPath(new URL(`../../docs/metrics/${file}`, import.meta.url));

interface Dashboard {
  readonly panels: readonly { readonly title: string; readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly name: string }[] };
}

describe('the alert rules and the dashboard', () => {
  it('[M2] are rules, for promtool', async () => {
    expect(await promtool(['check', 'rules', docs('alerts.yml')])).toMatchObject({ code: 0 });
  });

  it('[M2] fire when they should, and not else', async () => {
    expect(await promtool(['test', 'rules', docs('alerts.test.yml')])).toMatchObject({ code: 0 });
  });

  it('[M2] ask in PromQL', async () => {
    const { panels, templating } = JSON.parse(await readFile(docs('grafana-dashboard.json'), 'utf8')) as Dashboard;
    const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(20);
    const variables = ['__rate_interval', ...templating.list.map(({ name }) => name)];
    for (const [, name] of expressions.join('\n').matchAll(/\$(\w+)/g)) expect(variables).toContain(name);
    // Grafana fills its variables in.
    const rules = expressions.map((expr, n) => ({
      record: `panel:${n}`,
      expr: expr.replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'),
    }));
    const directory = await mkdtemp(join(tmpdir(), 'jobs-dashboard-'));
    const file = join(directory, 'panels.json');
    // YAML takes JSON.
    await writeFile(file, JSON.stringify({ groups: [{ name: 'panels', rules }] }));
    expect(await promtool(['check', 'rules', file])).toMatchObject({ code: 0 });
    await rm(directory, { recursive: true, force: true });
  });
});
