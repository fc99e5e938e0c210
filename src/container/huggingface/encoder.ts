/**
 * What the classes of the BERT family have in common: keys of the architecture `bert`, and the names of classes.
 * @module
 */
import { MAX_CLASSES } from '../../limits.ts';
import type { Config } from './config.ts';
import type { Translation } from './table.ts';

/** Names of classes, of a configuration for one of `classifiers`. @throws {DescriptionError} */
export function labelMetadata(config: Config, to: Translation, classifiers: readonly string[]): void {
  const labels = config.object('id2label');
  if (labels === null || !config.strings('architectures', 16).some((name) => classifiers.includes(name))) return;
  const count = labels.keys().length;
  if (count > MAX_CLASSES) config.refuse(`id2label has ${count} entries, at most ${MAX_CLASSES} are read`);
  const names = Array.from({ length: count }, (_, i) => labels.string(String(i)));
  to.set('classifier.output_labels', 'string[]', names);
}

/** `weight` and `bias` of every pair of names. */
export function bothKinds(parts: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    parts.flatMap(([from, to]) => ['weight', 'bias'].map((kind) => [`${from}.${kind}`, `${to}.${kind}`])),
  );
}

/** Checkpoints of classifiers have a prefix before the names of the model's own tensors. */
export function withoutPrefix(name: string, prefix: string): string {
  return name.startsWith(prefix) ? name.slice(prefix.length) : name;
}
