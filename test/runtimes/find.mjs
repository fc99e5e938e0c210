// Where the runtimes are: those of npm below this folder, browsers where distributions put them.
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** This folder, the checkout, and the conformance material beside it. */
export const here = dirname(fileURLToPath(import.meta.url));
export const root = join(here, '..', '..');
export const shared = process.env.TERNSPIKE_SHARED ?? join(root, '..', 'shared');

function runnable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const first = (paths) => paths.find(runnable) ?? null;
const onPath = (...names) =>
  first(names.flatMap((name) => (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))));
/** `node_modules/PACKAGE/PATH` here: the platform packages hold the binaries, no install script is needed. */
const installed = (...paths) => first(paths.map((path) => join(here, 'node_modules', path)));
const platform = `${process.platform}-${process.arch}`;

/** A program of WebKitGTK; distributions keep them in a folder of the library, whose version is in its name. */
function ofWebKit(name) {
  const entries = (folder, pattern) =>
    readdirSync(folder).filter((entry) => pattern.test(entry)).map((entry) => join(folder, entry));
  const libraries = ['/usr/lib', '/usr/libexec', '/usr/lib64'].filter((folder) => existsSync(folder));
  const folders = libraries.flatMap((folder) => [folder, ...entries(folder, /-linux-gnu/)]);
  const versions = folders.flatMap((folder) => entries(folder, /^webkit2?gtk-/));
  return onPath(name) ?? first(versions.map((folder) => join(folder, name)));
}

/** Path of each program, or null. A function: the answer changes when something is installed. */
export function find() {
  return {
    node24: installed(`node-${platform}/bin/node`),
    deno: installed(`@deno/${platform}-glibc/deno`) ?? onPath('deno'),
    bun: installed(`@oven/bun-${platform.replace('arm64', 'aarch64')}/bin/bun`) ?? onPath('bun'),
    workerd: installed(`@cloudflare/workerd-${platform.replace('x64', '64')}/bin/workerd`) ?? onPath('workerd'),
    puppeteer: existsSync(join(here, 'node_modules', 'puppeteer-core')) ? 'puppeteer-core' : null,
    chromium: onPath('chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'),
    firefox: onPath('firefox-esr', 'firefox'),
    webkitDriver: ofWebKit('WebKitWebDriver'),
    miniBrowser: ofWebKit('MiniBrowser'),
    xvfb: onPath('Xvfb'),
    // on x64 alone: elsewhere node24 is of this processor already, or there is no emulator
    ...(process.arch === 'x64' && {
      qemu: onPath('qemu-aarch64-static', 'qemu-aarch64'),
      nodeArm64: first([join(root, 'build', 'arm64', 'node')]),
    }),
  };
}
