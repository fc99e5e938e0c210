/**
 * What a file is to say of how its model is sampled: apart from `defaults.ts`, which readers of files need.
 * @module
 */
import { OptionError } from '../errors.ts';
import { SAMPLING_KEYS } from './defaults.ts';

/** Which option a refusal is about. */
const OPTION = { option: 'sampling' };

/**
 * The keys of a file, `general.sampling.…`, from options by their names.
 * @param stated options by the names of the keys, such as `{ temp: 0.8, penalty_repeat: 1.1 }`
 * @returns the whole keys, their values, and whether they are whole numbers
 * @throws {OptionError} `OPTION` for a name that is not known, or a value out of range
 */
export function samplingEntries(
  stated: Readonly<Record<string, number>>,
): [key: string, value: number, whole: boolean][] {
  return Object.entries(stated).map(([name, value]) => {
    const found = SAMPLING_KEYS.find(([key]) => key === name);
    if (!found) {
      const names = SAMPLING_KEYS.map(([key]) => key).join(', ');
      throw new OptionError(
        'OPTION',
        `sampling names ${JSON.stringify(name.slice(0, 40))}, expected one of ${names}`,
        OPTION,
      );
    }
    const [, option, least, most] = found;
    const whole = option === 'topK' || option === 'repeatLastN';
    if (!(typeof value === 'number' && value >= least && value <= most && (!whole || Number.isInteger(value)))) {
      const kind = whole ? 'an integer' : 'a number';
      throw new OptionError(
        'OPTION',
        `sampling: ${name} is ${String(value)}, must be ${kind} from ${least} to ${most}`,
        OPTION,
      );
    }
    return [`general.sampling.${name}`, value, whole];
  });
}
