/**
 * `POST /v1/embeddings`: vectors of texts, by models that make such.
 * @module
 */
import { MAX_INPUTS } from '../limits.ts';
import { oneOf, shown, TEXT, whole } from '../options.ts';
import type { Call } from './call.ts';
import { badField } from './errors.ts';
import { field, readFields } from './fields.ts';

interface EmbeddingFields {
  readonly model?: string;
  readonly input?: unknown;
  readonly encoding_format?: 'float' | 'base64';
  readonly dimensions?: number;
}

export async function embeddings(call: Call): Promise<Response> {
  const { fields, ignored } = readFields<EmbeddingFields>(await call.body(), {
    model: field(TEXT),
    input: field({ expected: '', holds: () => true }), // `textsOf` says more
    encoding_format: field(oneOf('float', 'base64')),
    dimensions: field(whole(1)),
  });
  call.ignore(ignored);
  const served = call.model(fields.model);
  const { model } = served;
  const texts = textsOf(fields.input);
  const tokens = texts.reduce((sum, text) => sum + model.promptIds(text).length, 0);
  const place = await served.place(call.signal);
  const vectors = await place.use(() => model.embed(texts, { signal: call.signal }));
  const { dimensions = vectors[0].length, encoding_format: format } = fields;
  if (dimensions !== vectors[0].length) {
    throw badField('dimensions', `dimensions is ${dimensions}; vectors of this model have ${vectors[0].length}`);
  }
  return call.json({
    object: 'list',
    data: vectors.map((vector, index) => ({
      object: 'embedding',
      index,
      embedding: format === 'base64' ? base64(vector) : Array.from(vector),
    })),
    model: served.name,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

/** One text or several. @throws {ApiError} 400 */
export function textsOf(input: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (list.length === 0) throw badField('input', 'input is empty, expected a text or a list of texts');
  if (list.length > MAX_INPUTS) {
    throw badField('input', `input has ${list.length} texts, at most ${MAX_INPUTS} are accepted`);
  }
  return list.map((text, i) => {
    if (typeof text === 'string' && text !== '') return text;
    const at = Array.isArray(input) ? `input[${i}]` : 'input';
    // ids of clients are those of another vocabulary than the model's
    throw badField(at, `${at} is ${text === '' ? 'empty' : shown(text)}, expected a text; ids are not taken`);
  });
}

/** Floats as little-endian bytes in base64. */
function base64(vector: Float32Array): string {
  const bytes = new Uint8Array(4 * vector.length);
  const view = new DataView(bytes.buffer);
  vector.forEach((value, i) => view.setFloat32(4 * i, value, true));
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
