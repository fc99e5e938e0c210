/**
 * The shape of a student as users write it: a JSON object in which everything has a default.
 * @module
 */
import { OptionError } from '../../../errors.ts';
import { unknownOption } from '../../../options.ts';
import { checkStudent } from './student.ts';
import type { StudentConfig } from './types.ts';

/** What a student is unless told: about 4 M weights behind a vocabulary of 512. */
export const DEFAULT_STUDENT: Omit<StudentConfig, 'vocab'> = {
  width: 256,
  layers: 4,
  heads: 4,
  ffn: 768,
  context: 512,
  window: 256,
  anchors: 4,
  threshold: 1,
  leak: 0.95,
  quantisation: 'ternary',
  tables: 'int8',
  surrogate: 'arctan',
  surrogateWidth: 2,
  truncation: 32,
};

/**
 * A whole configuration: what `given` leaves out has its default, and the vocabulary is the teacher's.
 * @param given a parsed JSON object; a name that is not known is refused
 * @throws {OptionError} `OPTION` for a value of the wrong kind, out of range, or that does not go with the others
 */
export function studentConfig(given: unknown, vocab: number): StudentConfig {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError('OPTION', 'the student is described by a JSON object, such as {"width": 256, "layers": 4}');
  }
  const absent: StudentConfig = { ...DEFAULT_STUDENT, vocab };
  const config: StudentConfig = { ...absent, ...given };
  for (const name of Object.keys(config)) {
    if (Object.hasOwn(absent, name)) continue;
    throw unknownOption('student', name, Object.keys(absent));
  }
  checkStudent(config);
  if (config.vocab < vocab) {
    throw new OptionError('OPTION', `student: vocab is ${config.vocab}, the teacher has ${vocab}; leave it out`);
  }
  return Object.freeze(config);
}
