/**
 * A Hugging Face folder, `config.json` beside safetensors, as the GGUF file of the same model: architectures then read it as
 * they read a GGUF file. What each class is called there stands in the tables beside this file.
 *
 * The rows of queries and keys stay as they are: transformers rotates halves of a head together, where GGUF files of the
 * `llama` architecture have neighbours. The key `ternspike.rope.pairing` says so.
 * @module
 */
import { memorySource } from '../../bytes/memory.ts';
import type { ByteSource } from '../../bytes/source.ts';
import { DescriptionError, ModelFileError } from '../../errors.ts';
import { MAX_TENSORS } from '../../limits.ts';
import { type GgufValueType, quote } from '../gguf-types.ts';
import { joinSources } from '../parts.ts';
import type { Container, MetadataValue, TensorInfo, TensorType, WeightInfo } from '../tensor.ts';
import { bert, roberta } from './bert.ts';
import { bitnet } from './bitnet.ts';
import { Config } from './config.ts';
import { distilbert } from './distilbert.ts';
import { bytesOf, plusOne } from './floats.ts';
import { gemma3 } from './gemma3.ts';
import { samplingMetadata } from './generation.ts';
import { llama } from './llama.ts';
import { qwen2, qwen3 } from './qwen.ts';
import { sentenceMetadata, type SentenceModules } from './sentence.ts';
export { sentenceModules } from './sentence.ts';
import type { HuggingFaceTable, Translation } from './table.ts';

/** A translated folder. */
export interface HuggingFaceContainer extends Container {
  readonly format: 'huggingface';
  readonly tensors: ReadonlyMap<string, WeightInfo>;
  /** Types that the metadata have in a GGUF file; what is not listed stays out of it. */
  readonly metadataTypes: ReadonlyMap<string, GgufValueType>;
}

/** Files of a folder besides `config.json`, where there are any. */
export interface FolderFiles {
  /** `generation_config.json` */
  readonly generation?: Uint8Array | null;
  readonly sentence?: SentenceModules | null;
}

type JsonObject = Readonly<Record<string, unknown>>;

const TABLES: readonly HuggingFaceTable[] = [llama, qwen2, qwen3, gemma3, bitnet, bert, roberta, distilbert];

/** Types of tensors that are used as they are. */
const FLOATS: readonly TensorInfo['type'][] = ['F32', 'F16', 'BF16'];

/** Whether a configuration is one of transformers. */
export function isHuggingFace(config: JsonObject): boolean {
  return config.architectures !== undefined || config.model_type !== undefined;
}

/**
 * The container under GGUF's names.
 * @param container of the weights, with whatever metadata are to be kept
 * @param from what the offsets of its tensors count in
 * @param json the `config.json` @param more what other files of the folder say
 * @throws {DescriptionError} `ARCHITECTURE` for a class that is not supported; `DESCRIPTION` for a configuration that is
 *   malformed, out of range or asks for what is not computed; `DESCRIPTION_TENSORS` for unknown tensors
 * @throws {ModelFileError} `TENSOR_TYPE`, `TENSOR_SHAPE` for tensors that cannot be weights
 */
export function translated(
  container: Container,
  from: ByteSource,
  json: JsonObject,
  more: FolderFiles = {},
): HuggingFaceContainer {
  const config = new Config(json, 'config.json');
  const table = tableOf(config);
  const metadata = new Map(container.metadata);
  const metadataTypes = new Map<string, GgufValueType>();
  const setGlobal = (key: string, type: GgufValueType, value: MetadataValue): void => {
    metadata.set(key, value);
    metadataTypes.set(key, type);
  };
  setGlobal('general.architecture', 'string', table.architecture);
  const made: { name: string; shape: readonly number[]; bytes: ByteSource; readFrom?: number }[] = [];
  const translation: Translation = {
    setGlobal,
    set: (key, type, value) => setGlobal(`${table.architecture}.${key}`, type, value),
    vector: (name, values) => made.push({ name, shape: [values.length], bytes: memorySource(bytesOf(values)) }),
  };
  table.metadata(config, translation);
  if (more.generation) samplingMetadata(Config.parse(more.generation, 'generation_config.json'), setGlobal);
  if (more.sentence) sentenceMetadata(more.sentence, translation);

  const tensors = new Map<string, WeightInfo>();
  const add = (info: WeightInfo): void => {
    if (tensors.has(info.name)) {
      throw new DescriptionError('DESCRIPTION_TENSORS', `${from.name}: two tensors become ${quote(info.name)}`);
    }
    tensors.set(info.name, Object.freeze(info));
  };
  const packed = isPacked(config);
  for (const info of container.tensors.values()) {
    const scale = packed && info.name.endsWith('.weight_scale') ? '_scale' : '';
    const renamed = table.rename(info.name.slice(0, info.name.length - scale.length), config);
    if (renamed === null) continue;
    if (renamed === undefined) throw unknownTensor(from, info, table);
    const name = renamed.name + scale;
    if (packed && info.type === 'U8') add(unpacked(info, name));
    else if (!FLOATS.includes(info.type)) throw wrongType(from, info);
    else if (renamed.transform === 'plus one') {
      made.push({ name, shape: info.shape, bytes: plusOne(from, info), readFrom: info.offset });
    } else add({ ...withoutRows(info, renamed.skipRows ?? 0), name, type: info.type as TensorType });
  }
  if (tensors.size + made.length > MAX_TENSORS) config.refuse(`there are more than ${MAX_TENSORS} tensors`);
  let offset = from.size;
  for (const { name, shape, bytes, readFrom } of made) {
    add({ name, type: 'F32', shape, blockElements: 1, offset, byteLength: bytes.size, readFrom });
    offset += bytes.size;
  }
  const source = made.length > 0 ? joinSources([from, ...made.map(({ bytes }) => bytes)], from.name) : container.source;
  return { format: 'huggingface', metadata, metadataTypes, tensors, size: container.size, ...(source && { source }) };
}

/** The table of a configuration, by its class, else by its type. @throws {DescriptionError} `ARCHITECTURE` */
function tableOf(config: Config): HuggingFaceTable {
  const classes = config.strings('architectures', 16);
  const type = config.string('model_type', '');
  const table = classes.length > 0
    ? TABLES.find((each) => each.classes.includes(classes[0]))
    : TABLES.find(({ types }) => types.includes(type));
  if (table) return table;
  const named = [
    classes.length > 0 && `architectures ${quote(classes[0].slice(0, 60))}`,
    type && `model_type ${quote(type.slice(0, 60))}`,
  ];
  return config.refuse(
    `the model is of ${named.filter(Boolean).join(', ')}, which is not supported; supported are ` +
      TABLES.flatMap((each) => each.classes).join(', '),
    'ARCHITECTURE',
  );
}

/** Whether matrices may be packed. @throws {DescriptionError} `DESCRIPTION` for any other quantisation */
function isPacked(config: Config): boolean {
  const quantization = config.object('quantization_config');
  if (quantization === null) return false;
  const method = quantization.string('quant_method', '');
  if (method !== 'bitnet') {
    quantization.refuse(
      `quant_method is ${quote(method.slice(0, 40))}, only bitnet is read; take the weights as floats`,
    );
  }
  quantization.only('quantization_mode', 'offline');
  quantization.only('use_rms_norm', false);
  const linear = quantization.string('linear_class', 'bitlinear');
  if (linear === 'bitlinear' || linear === 'autobitlinear') return true;
  return quantization.refuse(`linear_class is ${quote(linear.slice(0, 40))}, expected bitlinear or autobitlinear`);
}

/** Four rows lie in a row of bytes: byte (r, c) holds the codes of rows r, r + n/4, r + n/2 and r + 3n/4, lowest bits first. */
function unpacked(info: TensorInfo, name: string): WeightInfo {
  const [rows, cols] = info.shape;
  if (info.shape.length !== 2) {
    throw new ModelFileError(
      'TENSOR_SHAPE',
      `tensor ${quote(info.name)} is packed and has ${info.shape.length} dimensions, expected 2`,
    );
  }
  return { ...info, name, type: 'U2_ROWS', shape: [4 * rows, cols], blockElements: 0 };
}

/** A matrix without its first rows. */
function withoutRows(info: TensorInfo, skip: number): TensorInfo {
  const [rows] = info.shape;
  if (skip === 0) return info;
  if (info.shape.length !== 2 || rows <= skip) {
    throw new ModelFileError(
      'TENSOR_SHAPE',
      `tensor ${quote(info.name)} is ${info.shape.join(' × ')}, expected a matrix of more than ${skip} rows`,
    );
  }
  const bytes = (info.byteLength / rows) * skip;
  const shape = [rows - skip, info.shape[1]];
  return { ...info, shape, offset: info.offset + bytes, byteLength: info.byteLength - bytes };
}

function wrongType(source: ByteSource, { name, type }: TensorInfo): ModelFileError {
  return new ModelFileError(
    'TENSOR_TYPE',
    `${source.name}: tensor ${quote(name)} is ${type}; F32, F16 and BF16 can be read here, and U8 where ` +
      'quantization_config says bitnet',
  );
}

function unknownTensor(source: ByteSource, { name }: TensorInfo, { classes }: HuggingFaceTable): DescriptionError {
  return new DescriptionError(
    'DESCRIPTION_TENSORS',
    `${source.name}: tensor ${quote(name)} does not belong in ${
      classes[0]
    }; the model is of another kind, or was changed`,
  );
}
