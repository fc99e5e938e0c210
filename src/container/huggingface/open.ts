/**
 * A Hugging Face folder as the GGUF file of the same model: `config.json` becomes metadata, tensors take GGUF names, and
 * what is stored otherwise is changed when it is read. Everything behind the container is that of GGUF files.
 * @module
 */
import { Joiner, type Made } from '../../bytes/join.ts';
import type { ByteSource } from '../../bytes/source.ts';
import { DescriptionError, ModelFileError } from '../../errors.ts';
import { MAX_CONFIG_BYTES, MAX_TENSORS } from '../../limits.ts';
import { quote } from '../gguf-types.ts';
import type { GgufValueType } from '../gguf-types.ts';
import type { SafetensorsContainer } from '../safetensors.ts';
import type { Container, MetadataValue, TensorInfo, TensorType, WeightInfo } from '../tensor.ts';
import { bert } from './bert.ts';
import { bitnet } from './bitnet.ts';
import { Config } from './config.ts';
import { bytesOf, plusOne } from './floats.ts';
import { gemma3 } from './gemma3.ts';
import { samplingMetadata } from './generation.ts';
import { llama } from './llama.ts';
import { unpacked } from './packed.ts';
import { qwen2, qwen3 } from './qwen.ts';
import type { HuggingFaceTable } from './table.ts';

/** A translated folder. */
export interface HuggingFaceContainer extends Container {
  readonly format: 'huggingface';
  readonly tensors: ReadonlyMap<string, WeightInfo>;
  /** Types that the metadata have in a GGUF file. */
  readonly metadataTypes: ReadonlyMap<string, GgufValueType>;
  readonly source: ByteSource;
}

const TABLES: readonly HuggingFaceTable[] = [llama, qwen2, qwen3, gemma3, bitnet, bert];

/** Types of tensors that are used as they are. */
const FLOATS: readonly TensorInfo['type'][] = ['F32', 'F16', 'BF16'];

/**
 * Translates a folder whose class is known.
 * @param source the weights, or their index @param container what was read of them
 * @returns the translation; null without a `config.json`, or for weights that are not of a class known here
 * @throws {DescriptionError} `DESCRIPTION` for a configuration that is malformed, out of range or asks for what is not
 *   computed; `DESCRIPTION_TENSORS` for unknown tensors; `ARCHITECTURE` for decoders of another class
 * @throws {ModelFileError} `TENSOR_TYPE`, `TENSOR_BLOCK` for tensors that cannot be weights; what the source throws
 */
export async function readHuggingFace(
  source: ByteSource,
  container: SafetensorsContainer,
  { signal }: { signal?: AbortSignal } = {},
): Promise<HuggingFaceContainer | null> {
  if (!TABLES.some(({ signs }) => signs.some((sign) => container.tensors.has(sign)))) return null;
  const bytes = await source.beside?.('config.json', MAX_CONFIG_BYTES, signal);
  if (!bytes) return null;
  const config = Config.parse(bytes, `${source.name}: config.json`);
  const table = tableOf(config);
  const metadata = new Map<string, MetadataValue>();
  const metadataTypes = new Map<string, GgufValueType>();
  const setGlobal = (key: string, type: GgufValueType, value: MetadataValue): void => {
    metadata.set(key, value);
    metadataTypes.set(key, type);
  };
  setGlobal('general.architecture', 'string', table.architecture);
  const made: { name: string; type: TensorType; shape: readonly number[]; made: Made }[] = [];
  table.metadata(config, {
    setGlobal,
    set: (key, type, value) => setGlobal(`${table.architecture}.${key}`, type, value),
    vector: (name, values) =>
      made.push({
        name,
        type: 'F32',
        shape: [values.length],
        made: { size: 4 * values.length, make: () => Promise.resolve(bytesOf(values)) },
      }),
  });
  const generation = await source.beside?.('generation_config.json', MAX_CONFIG_BYTES, signal);
  if (generation) {
    samplingMetadata(Config.parse(generation, `${source.name}: generation_config.json`), setGlobal);
  }

  const from = container.source ?? source;
  const joiner = new Joiner();
  joiner.add(from); // at 0, so that offsets stay as they are
  const tensors = new Map<string, WeightInfo>();
  const inverse = packedScale(config);
  const add = (info: WeightInfo): void => {
    if (tensors.has(info.name)) {
      throw new DescriptionError('DESCRIPTION_TENSORS', `${source.name}: two tensors become ${quote(info.name)}`);
    }
    tensors.set(info.name, Object.freeze(info));
  };
  for (const info of container.tensors.values()) {
    if (info.name.endsWith('.weight_scale') && inverse !== null) continue; // read with its matrix
    const renamed = table.rename(info.name, config);
    if (renamed === null) continue;
    if (renamed === undefined) throw unknownTensor(source, info, table);
    const { name } = renamed;
    if (info.type === 'U8' && inverse !== null) {
      const scale = container.tensors.get(`${info.name}_scale`);
      made.push({ name, type: 'I2_S', ...unpacked(from, info, scale, inverse) });
    } else if (!FLOATS.includes(info.type)) {
      throw new ModelFileError(
        'TENSOR_TYPE',
        `${source.name}: tensor ${quote(info.name)} is ${info.type}; F32, F16 and BF16 can be read here, and U8 where ` +
          'quantization_config says bitnet',
      );
    } else if (renamed.transform === 'plus one') {
      made.push({ name, type: 'F32', shape: info.shape, made: plusOne(from, info) });
    } else add({ ...info, name, type: info.type as TensorType });
  }
  if (tensors.size + made.length > MAX_TENSORS) config.refuse(`there are more than ${MAX_TENSORS} tensors`);
  for (const { name, type, shape, made: bytes } of made) {
    const offset = joiner.addMade(bytes);
    add({ name, type, shape, blockElements: type === 'I2_S' ? 0 : 1, offset, byteLength: bytes.size });
  }
  return {
    format: 'huggingface',
    metadata,
    metadataTypes,
    tensors,
    size: container.size,
    source: joiner.source(source.name),
  };
}

/** The table of a configuration, by its class, else by its type. @throws {DescriptionError} `ARCHITECTURE` */
function tableOf(config: Config): HuggingFaceTable {
  const classes = config.strings('architectures', 16);
  const type = config.string('model_type', '');
  const table = classes.length > 0
    ? TABLES.find((each) => each.classes.includes(classes[0]))
    : TABLES.find(({ types }) => types.includes(type));
  if (table) return table;
  const known = TABLES.flatMap((each) => each.classes).join(', ');
  return config.refuse(
    `architectures is "${(classes[0] ?? '').slice(0, 60)}" and model_type "${type.slice(0, 40)}", which are not ` +
      `supported; supported are ${known}`,
    'ARCHITECTURE',
  );
}

/** Whether packed matrices are divided by their scale; null where there are none. @throws {DescriptionError} */
function packedScale(config: Config): boolean | null {
  const quantization = config.object('quantization_config');
  if (quantization === null) return null;
  const method = quantization.string('quant_method', '');
  if (method !== 'bitnet') {
    quantization.refuse(`quant_method is "${method.slice(0, 40)}", only bitnet can be read; take the weights as floats`);
  }
  quantization.only('quantization_mode', 'offline');
  quantization.only('use_rms_norm', false);
  const linear = quantization.string('linear_class', 'bitlinear');
  if (linear === 'bitlinear' || linear === 'autobitlinear') return linear === 'bitlinear';
  return quantization.refuse(`linear_class is "${linear.slice(0, 40)}", supported are bitlinear and autobitlinear`);
}

function unknownTensor(source: ByteSource, { name }: TensorInfo, { classes }: HuggingFaceTable): DescriptionError {
  return new DescriptionError(
    'DESCRIPTION_TENSORS',
    `${source.name}: tensor ${quote(name)} has no place in ${classes[0]}; the model is of another kind, or was changed`,
  );
}
