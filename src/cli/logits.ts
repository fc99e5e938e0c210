/**
 * `logits`: teacher-forced logits of a sequence of ids.
 * @module
 */
import type { Model } from '../model/model.ts';
import { UsageError } from './args.ts';
import { type Command, command, need } from './command.ts';
import { CONTEXT_OPTIONS, load, MODEL_OPTIONS, modelPath, TYPE_OPTIONS } from './load.ts';
import { oneLine } from './output.ts';
import { withModel } from './stored.ts';
import { defaultContext } from '../description/plan.ts';

/** Candidates that are printed for a position. */
const TOP = 5;

export const logits: Command = command(
  {
    name: 'logits',
    summary: 'Print the logits after each token of a sequence.',
    positionals: [],
    options: {
      ...MODEL_OPTIONS,
      ...TYPE_OPTIONS,
      ids: { kind: 'ids', value: '1,2,3', help: 'token ids of the sequence' },
      prefill: {
        kind: 'integer',
        value: 'K',
        least: 1,
        help: 'run the first K ids as one batch, the rest one by one; print rows from K-1 on',
      },
      'entropy-exit': {
        kind: 'number',
        least: 0,
        help: 'SymbolicLight: stop at the first block where the entropy of the last position is below X nats',
      },
      ...CONTEXT_OPTIONS,
    } as const,
    notes: ['JSON has one row of logits for each position; without --json the likeliest tokens are printed.'],
    examples: [
      'ternspike logits --ids 1,403,407,261,378',
      'ternspike logits -m model.gguf --ids 1,5,9 --prefill 2 --json',
      'ternspike logits --ids 1,403,407 --entropy-exit 0.3 --json',
    ],
  },
  async ({ values }, context) => {
    const ids = need(values.ids, '--ids');
    const { prefill, type, head, embedding, build, kv, activations, threads, ctx } = values;
    if (ids.length === 0) throw new UsageError('--ids is empty');
    if (prefill !== undefined && prefill > ids.length) {
      throw new UsageError(`--prefill is ${prefill}, expected at most the ${ids.length} ids`);
    }
    const entropyExit = values['entropy-exit'];
    if (prefill !== undefined && entropyExit !== undefined) {
      throw new UsageError('--entropy-exit looks at the whole sequence at once; leave --prefill out');
    }
    const { out, signal } = context;
    // a context of any length gives the same logits; more ids than the default holds need a longer one
    const contextLength = ctx ?? (ids.length > defaultContext(0) ? ids.length : undefined);
    const path = modelPath(values.model);
    using model = await withModel(
      path,
      context,
      (source) => load(source, { type, head, embedding, build, kv, activations, threads, contextLength }, context),
    );
    const from = prefill === undefined ? 0 : prefill - 1;
    const rows = prefill === undefined
      ? await model.logits(ids, { signal, entropyExit })
      : await prefilled(model, ids, prefill, signal);
    const positions = rows.map((_, i) => from + i);
    await out.result(
      { logits: rows, positions, vocab: model.describe().vocab, spikes: model.stats().spikes },
      () => rows.map((row, i) => `${from + i}: ${likeliest(model, row)}`),
    );
  },
);

/** The first `count` ids in one batch, the rest one by one. */
async function prefilled(
  model: Model,
  ids: readonly number[],
  count: number,
  signal: AbortSignal,
): Promise<Float32Array[]> {
  using session = model.session();
  const rows = [await session.prefill(ids.slice(0, count), { signal })];
  for (const id of ids.slice(count)) {
    rows.push(await session.step(id, { signal }));
  }
  return rows;
}

function likeliest(model: Model, row: Float32Array): string {
  const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b).slice(0, TOP);
  return order.map((id) => `${id}${pieceOf(model, id)} ${row[id].toFixed(4)}`).join('  ');
}

/** The piece of an id in quotes; nothing for models without a vocabulary. */
function pieceOf(model: Model, id: number): string {
  try {
    return ` ${JSON.stringify(oneLine(model.tokenizer.piece(id), 40))}`;
  } catch {
    return '';
  }
}
