/**
 * Residual streams of a reading, one by one.
 * @module
 */
import { OptionError } from '../errors.ts';
import type { ModelDescription } from '../description/description.ts';
import type { Decoder } from '../forward/decoder.ts';
import type { Arena } from '../wasm/arena.ts';
import type { ReadOptions } from './session.ts';

/**
 * What a reading calls behind each layer to hand out one stream after the other.
 * @param see gets the stream behind `layer` of the i-th id, `width` floats that are valid during the call
 * @throws {OptionError} `OPTION` for a model that has no residual stream to look at
 */
export function eachStream(
  arena: Arena,
  decoder: Decoder,
  description: ModelDescription,
  see: (layer: number, i: number, stream: Float32Array) => void,
): NonNullable<ReadOptions['afterLayer']> {
  if (!decoder.streams) {
    throw new OptionError(
      'OPTION',
      `onHidden is not available for ${description.architecture} models, which have no residual stream to show`,
      { mentions: ['onHidden'] },
    );
  }
  return (layer, first, n, stream, stride) => {
    for (let t = 0; t < n; t++) see(layer, first + t, arena.f32(stream + t * stride, description.width));
  };
}
