/**
 * The energy counters of the processor, where Linux shows them and this user may read them.
 * @module
 */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = '/sys/class/powercap';

/** Joules of all processors of this machine since some time, or null. They are of the whole machine, not of this process. */
export function energyMeter(folder: string = FOLDER): () => number | null {
  let packages: string[] = [];
  try {
    // a package has its parts below it, which would count twice
    packages = readdirSync(folder).filter((name) => /^intel-rapl:\d+$/.test(name));
  } catch {
    // another system
  }
  return () => {
    if (packages.length === 0) return null;
    let sum = 0;
    for (const name of packages) {
      try {
        sum += Number(readFileSync(`${folder}/${name}/energy_uj`, 'utf8'));
      } catch {
        return null; // only the administrator may read it on most systems
      }
    }
    return Number.isFinite(sum) ? sum / 1e6 : null;
  };
}
