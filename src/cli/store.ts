/**
 * `pull`, `models` and `rm`: models of a hub on this machine.
 * @module
 */
import { list, remove, type Removed } from '../entries/store.ts';
import { type Command, command } from './command.ts';
import { bytesText, rounded } from './output.ts';
import { pullHere, STORE_OPTIONS, storeOptions } from './stored.ts';

const NAMES =
  'NAME is hf:ORG/REPO/FILE, hf:ORG/REPO:QUANT, hf:ORG/REPO or hf:ORG/REPO/ for a folder of several files, each with ' +
  '@REVISION or without; hf: may be left out.';
const PLACES =
  'Models are in the cache of Python’s huggingface_hub: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. HF_TOKEN is ' +
  'sent to the hub, HF_ENDPOINT names another one, HF_HUB_OFFLINE=1 is --offline.';

export const pullCommand: Command = command(
  {
    name: 'pull',
    summary: 'Download a model of a hub, or resume its download.',
    positionals: [{ name: 'NAME' }],
    options: {
      connections: {
        kind: 'integer',
        least: 1,
        help: 'ranges of a file that are downloaded at a time, up to 16; default 4',
      },
      ...STORE_OPTIONS,
    } as const,
    notes: [
      NAMES + ' Every command with -m takes such a name, too.',
      'Without QUANT, a repository of GGUF files gives Q4_K_M, else Q4_0, else a ternary or 8-bit type. A file counts as stored when its ' +
      'sha256 is right. What was interrupted or killed resumes where it was.',
      PLACES,
    ],
    examples: [
      'ternspike pull hf:org/repo:Q4_K_M',
      'ternspike pull hf:org/repo/model.gguf@v1.0 --json',
      'ternspike pull org/bert-folder',
    ],
  },
  async ({ values, positionals: [name] }, context) => {
    const { connections } = values;
    const start = performance.now();
    const pulled = await pullHere(name, context, { ...(connections !== undefined && { connections }) });
    const seconds = (performance.now() - start) / 1000;
    const { source, ...rest } = pulled;
    await context.out.result({ ...rest, path: String(source), seconds: rounded(seconds) }, () => [
      `${pulled.name}: ${pulled.files.length === 1 ? '1 file' : `${pulled.files.length} files`}, ${
        bytesText(pulled.bytes)
      }` +
      `, ${pulled.downloaded === 0 ? 'already stored' : `${bytesText(pulled.downloaded)} downloaded`}`,
      String(source),
    ]);
  },
);

export const modelsCommand: Command = command(
  {
    name: 'models',
    summary: 'List the models of a hub that are stored on this machine, with size and date.',
    positionals: [],
    options: {} as const,
    notes: ['Downloads that are not finished are listed, too; pull resumes them, rm removes them.', PLACES],
    examples: ['ternspike models', 'ternspike models --json'],
  },
  async (_, context) => {
    const { store, models, unfinished } = await list(storeOptions(context));
    const bytes = models.reduce((sum, model) => sum + model.bytes, 0);
    await context.out.result({ store, models, unfinished, bytes }, () => {
      const rows = [
        ...models.map(({ name, bytes, modified }) => [name, bytesText(bytes), modified.slice(0, 10)]),
        ...unfinished.map(({ repo, path, bytes, size }) => [
          `hf:${repo}/${path}`,
          `${bytesText(bytes)} of ${bytesText(size)}`,
          'unfinished',
        ]),
      ];
      const width = Math.max(0, ...rows.map(([name]) => name.length));
      const size = Math.max(0, ...rows.map(([, text]) => text.length));
      return [
        ...rows.map(([name, text, date]) => `${name.padEnd(width)}  ${text.padStart(size)}  ${date}`),
        `${models.length === 1 ? '1 model' : `${models.length} models`}, ${bytesText(bytes)}, in ${store}`,
      ];
    });
  },
);

export const rmCommand: Command = command(
  {
    name: 'rm',
    summary: 'Remove models of a hub from this machine.',
    positionals: [{ name: 'NAME', repeated: true }],
    options: {} as const,
    notes: [
      NAMES,
      'A repository is removed with all that is stored of it, a file or QUANT alone, a name with @REVISION as that revision has it. ' +
      'Contents that another revision shares stay.',
    ],
    examples: ['ternspike rm hf:org/repo', 'ternspike rm hf:org/repo/model-Q8_0.gguf --json'],
  },
  async ({ positionals }, context) => {
    const removed: Removed[] = [];
    for (const name of positionals) removed.push(await remove(name, storeOptions(context)));
    const bytes = removed.reduce((sum, one) => sum + one.bytes, 0);
    await context.out.result(
      { removed, bytes },
      () => removed.map(({ name, bytes }) => `${name}: ${bytesText(bytes)} freed`),
    );
  },
);
