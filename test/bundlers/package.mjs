// The package as its users get it: packed, and installed into an empty project.
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { root } from '../runtimes/find.mjs';
import { run } from '../runtimes/process.mjs';

export const here = dirname(fileURLToPath(import.meta.url));
/** Where everything is built; below this folder, so that its node_modules are found. */
export const work = join(here, 'work');
/** An empty project with nothing but the tarball. */
export const project = join(root, 'build', 'package');

/** Runs a program; throws what it printed where it fails. */
export async function must(command, args, { seconds = 120, ...options } = {}) {
  const { code, output } = await run(command, args, { seconds, ...options });
  if (code !== 0) throw new Error(`${command} ${args.join(' ')}: exit code ${code}\n${output}`);
  return output;
}

/** What npm printed when it installed the tarball. */
export let installed = '';
export let tarball = '';

export async function install() {
  if (!existsSync(join(root, 'dist', 'worker.js'))) throw new Error('dist/ is missing; run npm run build');
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  await must('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: root });
  tarball = join(project, readdirSync(project).find((name) => name.endsWith('.tgz')));
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  const offline = ['--offline', '--no-audit', '--no-fund'];
  installed = await must('npm', ['install', ...offline, tarball], {
    cwd: project,
    env: { npm_config_loglevel: 'warn' },
  });
  const to = join(here, 'node_modules', 'ternspike');
  rmSync(to, { recursive: true, force: true });
  cpSync(join(project, 'node_modules', 'ternspike'), to, { recursive: true });
}

/** What the package says on this Node, which every bundle has to say. */
let told;
export async function expected() {
  told ??= JSON.parse(await must(process.execPath, [join(work, 'app', 'script.js')], { cwd: work }));
  return told;
}
