// Checks the dashboard against Grafana's own schema, and the check against dashboards that are broken.
// JSON that is imported has lost its literals, so each dashboard is written down as TypeScript.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const source = new URL('../../docs/operations/grafana.json', import.meta.url);
const read = () => JSON.parse(readFileSync(source, 'utf8'));

const broken = {
  'a height that is text': (dashboard) => (dashboard.panels[0].gridPos.h = '8'),
  'a panel without a place': (dashboard) => delete dashboard.panels[0].gridPos,
  'a panel with a member that is none': (dashboard) => (dashboard.panels[0].titel = 'Requests'),
  'a dashboard without a version of its schema': (dashboard) => delete dashboard.schemaVersion,
  'a legend in a place that is none': (dashboard) =>
    (dashboard.panels[0].options.legend.placement = 'left'),
  'a legend without its figures': (dashboard) => delete dashboard.panels[0].options.legend.calcs,
  'a query without an expression': (dashboard) => delete dashboard.panels[0].targets[0].expr,
  'a variable of a type that is none': (dashboard) => (dashboard.templating.list[0].type = 'source'),
  'a variable that is refreshed at no time': (dashboard) => (dashboard.templating.list[1].refresh = 7),
  'a time without an end': (dashboard) => delete dashboard.time.to,
};

const folder = new URL('build/', import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const write = (name, dashboard) => {
  const text = JSON.stringify(dashboard, null, 2);
  const lines = ["import type { Ours } from '../dashboard';", `export const dashboard: Ours = ${text};`];
  writeFileSync(new URL(`${name}.ts`, folder), lines.join('\n'));
};
write('dashboard', read());
Object.values(broken).forEach((breakIt, number) => {
  const dashboard = read();
  breakIt(dashboard);
  write(`broken-${number}`, dashboard);
});

const tsc = new URL('node_modules/typescript/bin/tsc', import.meta.url).pathname;
const cwd = new URL('.', import.meta.url).pathname;
const { stdout, error } = spawnSync(process.execPath, [tsc, '--pretty', 'false'], {
  cwd,
  encoding: 'utf8',
});
if (error) throw error;
const refused = new Set([...stdout.matchAll(/^build\/([a-z0-9-]+)\.ts\(/gm)].map(([, name]) => name));
const elsewhere = stdout.split('\n').filter((line) => /^\S/.test(line) && !line.startsWith('build/'));

const failures = elsewhere;
if (refused.has('dashboard')) {
  const errors = stdout.split('\n').filter((line) => line.startsWith('build/dashboard.ts'));
  failures.push('docs/operations/grafana.json is none that Grafana takes:', ...errors);
}
Object.keys(broken).forEach((what, number) => {
  if (!refused.has(`broken-${number}`)) failures.push(`not refused: ${what}`);
});
if (failures.length > 0) {
  console.error(failures.join('\n'));
  process.exit(1);
}
console.log(`the dashboard fits Grafana's schema; ${refused.size} that are broken do not`);
