/**
 * The chat templates that come with a vocabulary: one, or several with names (`default`, `tool_use`, `rag` …).
 * @module
 */
import type { MetadataValue } from '../container/tensor.ts';
import { MAX_TEMPLATE_CHARS } from '../limits.ts';

/** Templates of one vocabulary; more than this many names are no names. */
const MAX_TEMPLATES = 64;

/** What a tokenizer keeps of them. */
export interface ChatTemplates {
  /** The one that is used where none is named. */
  readonly chatTemplate?: string;
  /** All that have names; absent where the only one has none. */
  readonly chatTemplates?: Readonly<Record<string, string>>;
}

const usable = (template: unknown): template is string =>
  typeof template === 'string' && template.length <= MAX_TEMPLATE_CHARS;

/** Of `chat_template` in a `tokenizer_config.json`: a text, or a list of `{ name, template }`. */
export function configuredTemplates(value: unknown): ChatTemplates {
  if (!Array.isArray(value)) return { chatTemplate: usable(value) ? value : undefined };
  const list = value as readonly ({ readonly name?: unknown; readonly template?: unknown } | null)[];
  return named(list.slice(0, MAX_TEMPLATES).map((one) => [one?.name, one?.template]));
}

/** Of the metadata of a GGUF file: `tokenizer.chat_template`, and `tokenizer.chat_template.NAME` for each of `tokenizer.chat_templates`. */
export function metadataTemplates(metadata: ReadonlyMap<string, MetadataValue>): ChatTemplates {
  const value = metadata.get('tokenizer.chat_template');
  const usual = usable(value) ? value : undefined;
  const names = metadata.get('tokenizer.chat_templates');
  if (!Array.isArray(names) || names.length === 0) return { chatTemplate: usual };
  const { chatTemplates } = named(
    (names as readonly unknown[]).slice(0, MAX_TEMPLATES).map((
      name,
    ) => [name, metadata.get(`tokenizer.chat_template.${String(name)}`)]),
  );
  return { chatTemplate: usual, chatTemplates };
}

function named(templates: readonly (readonly [name: unknown, template: unknown])[]): ChatTemplates {
  const chatTemplates = Object.fromEntries(
    templates.filter((one): one is [string, string] => typeof one[0] === 'string' && usable(one[1])),
  );
  // without a default, a single one is it; of several the user chooses
  const [only, ...others] = Object.values(chatTemplates);
  return {
    chatTemplate: Object.hasOwn(chatTemplates, 'default')
      ? chatTemplates.default
      : others.length === 0
      ? only
      : undefined,
    chatTemplates,
  };
}
