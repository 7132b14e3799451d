import { readFileSync } from 'node:fs';
import { METRICS } from '../libs/jobs/src/metrics/metric-definitions.js';

const read = (path: string): string => readFileSync(new URL(`../docs/${path}`, import.meta.url), 'utf8');

/** Names that Prometheus makes of those of histograms. */
const OF_HISTOGRAM = /_(bucket|sum|count)$/;

function namesIn(text: string): string[] {
  return [...new Set(text.match(/\bjobs_[a-z_]+/g))];
}

const known = new Set(METRICS.map(({ name }) => name));
const isKnown = (name: string): boolean => known.has(name) || known.has(name.replace(OF_HISTOGRAM, ''));

describe('the documentation of metrics', () => {
  it('[M2] has a table of what there is, and of nothing else', () => {
    const rows = read('metrics.md')
      .split('\n')
      .filter((line) => line.startsWith('| `jobs_'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
      .map(([, name, type, labels, unit, help]) => ({ name, type, labels, unit, help }));
    expect(rows).toEqual(METRICS.map(({ labels, ...metric }) => ({ ...metric, labels: labels.join(', ') })));
  });

  it.each(['metrics.md', 'metrics/alerts.yml', 'metrics/alerts.test.yml', 'metrics/grafana-dashboard.json'])(
    '[M2] names only metrics that there are, in %s',
    (file) => {
      const names = namesIn(read(file));
      expect(names.length).toBeGreaterThan(3);
      expect(names.filter((name) => !isKnown(name))).toEqual([]);
    },
  );

  it('[M2] shows every metric in the dashboard', () => {
    const shown = new Set(
      namesIn(read('metrics/grafana-dashboard.json')).map((name) => name.replace(OF_HISTOGRAM, '')),
    );
    expect([...known].filter((name) => !shown.has(name))).toEqual([]);
  });

  it('[M2] has a test of every alert', () => {
    const rules = Array.from(read('metrics/alerts.yml').matchAll(/- alert: (\w+)/g), ([, name]) => name!);
    const tests = read('metrics/alerts.test.yml');
    expect(rules.length).toBeGreaterThan(5);
    expect(rules.filter((name) => !new RegExp(`alertname(: |=")${name}\\b`).test(tests))).toEqual([]);
  });
});
