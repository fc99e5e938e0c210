#!/usr/bin/env node
// Installs the runtimes that the tests run on: those of npm below this folder, and, on a Debian-like system and as its
// administrator, the browsers of the distribution. Elsewhere it says what is missing. With --arm64 also an emulator, and Node for it.
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { find, here } from './find.mjs';
import { installArm64 } from './install-arm64.mjs';

const MINUTES = 60_000;
/** Program → Debian package. */
const PACKAGES = {
  chromium: 'chromium',
  firefox: 'firefox-esr',
  webkitDriver: 'webkit2gtk-driver',
  miniBrowser: 'webkit2gtk-driver',
  xvfb: 'xvfb',
  qemu: 'qemu-user-static',
};

const call = (command, args, options = {}) => {
  console.log(`${command} ${args.join(' ')}`);
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], timeout: 10 * MINUTES, ...options });
};
const absent = () => Object.entries(find()).filter(([, path]) => path === null).map(([name]) => name);

// Binaries come in platform packages; none of them needs its install script.
call('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here });

const debian = existsSync('/etc/debian_version') && process.getuid?.() === 0;
const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
const quiet = { env, stdio: ['ignore', 'ignore', 'inherit'] };
const wanted = absent().filter((name) => name !== 'qemu' || process.argv.includes('--arm64'));
const packages = [...new Set(wanted.map((name) => PACKAGES[name]).filter(Boolean))];
if (packages.length > 0 && debian) {
  call('apt-get', ['update', '-qq'], quiet);
  call('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], quiet);
} else if (packages.length > 0) {
  console.log(`missing, please install: ${packages.join(' ')} (or what your system calls them)`);
}

if (process.argv.includes('--arm64') && absent().includes('nodeArm64') && debian) {
  try {
    installArm64(call, quiet);
  } catch (error) {
    console.log(`Node for 64-bit Arm is not installed: ${error.message}`); // its tests are then skipped
  }
}

for (const [name, path] of Object.entries(find())) console.log(`${name.padEnd(13)} ${path ?? 'absent'}`);
const OPTIONAL = ['qemu', 'nodeArm64']; // an emulated processor is not to be had everywhere
if (process.env.CI && absent().some((name) => !OPTIONAL.includes(name))) process.exitCode = 1;
