/**
 * The layers of neurons of SymbolicLight, and the matrices that feed them, for the accounts of spikes.
 * @module
 */
import type { Container, TensorInfo } from '../../container/tensor.ts';
import { columnSize } from '../../description/columns.ts';
import type { ColumnLayout, Layout } from '../../container/ggml-types.ts';
import { packedSize } from '../../description/layout.ts';
import { vectorBytes } from '../../description/plan.ts';
import type { Connection, SpikeLayer, SpikeLayerOptions } from '../../forward/spike-report.ts';
import type { ActivationType } from '../../wasm/load-options.ts';
import { type SymbolicLightDescription, symbolicLightShapes } from './description.ts';

/** Layers in the order of the model's spike counts, the head last. */
export function symbolicLightLayers(
  { tensors }: Pick<Container, 'tensors'>,
  d: SymbolicLightDescription,
  { activations = 'int8', spans }: SpikeLayerOptions = {},
): SpikeLayer[] {
  const names = ['encoder'];
  for (let i = 0; i < d.layers; i++) names.push(`blocks.${i}.mixer`, `blocks.${i}.ffn`, `blocks.${i}.output`);
  names.push('head');
  const layers = names.map((name) => ({
    name,
    neurons: name === 'head' ? 0 : name.endsWith('.ffn') ? d.hidden : d.width,
    leaky: name === 'encoder',
    always: name !== 'head',
    connections: [] as Connection[],
    fixedBytes: 0,
  }));
  for (const name of symbolicLightShapes(d).keys()) {
    const info = tensors.get(name) as TensorInfo; // the description has seen to it
    const [, block, part] = /^blocks\.(\d+)\.(tcam|ffn\.up|ffn)\./.exec(name) ?? [];
    const place = ['tcam', 'ffn.up', 'ffn'].indexOf(part) + 1;
    const layer =
      layers[place > 0 ? 3 * Number(block) + place : name.startsWith('output_head.') ? layers.length - 1 : 0];
    if (info.shape.length !== 2) {
      layer.fixedBytes += vectorBytes(info.shape[0] ?? 1);
    } else if (name.endsWith('.tcam_proj.weight') || name.endsWith('.ffn.down.weight')) {
      const { layout, rows, cols, paddedRows, dataBytes, scaleBytes, span } = columnSize(info);
      // the mixer reads what came out of the block before, or of the encoder; its own spikes feed nothing
      const source = 3 * Number(block) + (part === 'tcam' ? 0 : 2);
      // scales of groups without an active input are not read, but few groups have none
      layer.fixedBytes += scaleBytes > 0 ? (cols / (spans?.get(name) ?? span)) * paddedRows * 4 : 0;
      layer.connections.push(connection(layout, rows, cols, dataBytes / cols, source));
    } else {
      const { layout, rows, cols, paddedRows, dataBytes, scaleBytes } = packedSize(info);
      const embedding = layer === layers[0];
      layer.fixedBytes += embedding ? (dataBytes + scaleBytes) / paddedRows : scaleBytes;
      if (!embedding) {
        layer.connections.push(connection(layout, rows, cols, dataBytes, null, activations));
      }
    }
  }
  return layers;
}

/** What products in a layout are made of; every layout has its price. */
const ARITHMETIC: Readonly<Record<Layout | ColumnLayout, 'codes' | 'int8' | 'fp32'>> = {
  trit2: 'codes',
  bit1: 'codes',
  trit2col: 'codes',
  bit1col: 'codes',
  i8: 'int8',
  i8col: 'int8',
  u4: 'int8',
  u8: 'int8',
  f32: 'fp32',
  f16: 'fp32',
  bf16: 'fp32',
  f32col: 'fp32',
};

function connection(
  layout: Layout | ColumnLayout,
  outputs: number,
  inputs: number,
  dataBytes: number,
  source: number | null,
  activations: ActivationType = 'int8',
): Connection {
  const kind = ARITHMETIC[layout];
  const arithmetic = kind !== 'int8' ? kind : activations === 'f32' ? 'fp32' : activations;
  return { source, inputs, outputs, arithmetic, dataBytes };
}
