/**
 * A lock on a file in the making. It saves work and is not what keeps files right: they are verified by their hash, and get their name
 * from whoever has verified them.
 *
 * Who holds it touches it every two seconds. A holder on this machine that is gone is noticed at once, one elsewhere when its lock has
 * not been touched for a minute.
 * @module
 */
import { codeOf, type Files, isAlive, processId } from './host.ts';

const TOUCH_MS = 2000;
/** A holder on this machine that is alive and has not touched its lock for so long is suspended, or another process by now. */
const SUSPENDED_MS = 20_000;
/** The same for holders on other machines, whose clocks may differ. */
const ELSEWHERE_MS = 60_000;

/** A lock that is held. */
export interface Lock {
  /** Whether the holder before died on this machine: what it wrote is all there, and it writes no more. */
  readonly inherited: boolean;
  /** Whether it is still ours. */
  held(): Promise<boolean>;
  release(): Promise<void>;
}

interface Holder {
  readonly pid: number;
  readonly machine: string;
  /** When the process began, in the words of its machine. */
  readonly born: string;
  readonly id: string;
}

/** Takes the lock; null while another holds it. @throws what the host throws when the folder cannot be written */
export async function tryLock(files: Files, path: string): Promise<Lock | null> {
  const me: Holder = {
    pid: processId(),
    machine: await machineName(files),
    born: await bornAt(files, processId()),
    id: crypto.randomUUID(),
  };
  const text = JSON.stringify(me);
  let inherited = true;
  for (let round = 0; round < 2; round++) {
    try {
      await files.writeFile(path, text, { flag: 'wx' });
      return heldLock(files, path, text, inherited);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const state = await holderState(files, path, me.machine);
    if (state.state === 'alive') return null;
    inherited = state.state === 'dead';
    if (!(await takeAway(files, path, state.text, me.id))) return null;
  }
  return null;
}

/** Whether somebody holds the lock. */
export async function isLocked(files: Files, path: string): Promise<boolean> {
  return (await holderState(files, path, await machineName(files))).state === 'alive';
}

function heldLock(files: Files, path: string, text: string, inherited: boolean): Lock {
  const touch = setInterval(() => {
    const now = new Date();
    files.utimes(path, now, now).catch(() => {}); // others will then think that we are gone
  }, TOUCH_MS);
  (touch as { unref?: () => void }).unref?.();
  const held = async (): Promise<boolean> => await files.readFile(path, 'utf8').catch(() => '') === text;
  return {
    inherited,
    held,
    async release() {
      clearInterval(touch);
      if (await held()) await files.rm(path, { force: true });
    },
  };
}

/** `dead`: it certainly writes no more. `gone`: it probably does not. */
async function holderState(
  files: Files,
  path: string,
  machine: string,
): Promise<{ readonly state: 'alive' | 'dead' | 'gone'; readonly text: string }> {
  let text: string;
  let age: number;
  try {
    text = await files.readFile(path, 'utf8');
    age = Date.now() - (await files.stat(path)).mtimeMs;
  } catch {
    return { state: 'dead', text: '' }; // it has just been released
  }
  let holder: Partial<Holder> = {};
  try {
    holder = JSON.parse(text) as Partial<Holder>;
  } catch {
    // it is being written, or its writer was killed
  }
  const { pid = 0, born = '' } = holder;
  if (holder.machine !== machine) return { state: age < ELSEWHERE_MS ? 'alive' : 'gone', text };
  if (!isAlive(pid) || await bornAt(files, pid) !== born) return { state: 'dead', text };
  return { state: age < SUSPENDED_MS ? 'alive' : 'gone', text };
}

/** Removes a lock that nobody holds, unless another process was faster and has a new one. */
async function takeAway(files: Files, path: string, text: string, id: string): Promise<boolean> {
  const aside = `${path}.${id}`;
  try {
    await files.rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return true;
    throw error;
  }
  const taken = await files.readFile(aside, 'utf8').catch(() => '');
  if (taken !== text) await files.link(aside, path).catch(() => {});
  await files.rm(aside, { force: true });
  return taken === text;
}

/** A name of this machine that no other has: on Linux of this start and of the container, whose process numbers are its own. */
async function machineName(files: Files): Promise<string> {
  const os = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process
    ?.getBuiltinModule?.('node:os') as { hostname?: () => string } | undefined;
  const boot = await files.readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const numbers = await files.readlink('/proc/self/ns/pid').catch(() => '');
  return [os?.hostname?.() ?? '', boot.trim(), numbers].join(' ');
}

/** When a process began; '' where the host does not tell. Numbers of processes are used again. */
async function bornAt(files: Files, pid: number): Promise<string> {
  const stat = await files.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // the second field is the program's name in parentheses, which may hold anything
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}
