// The engine of structured output as one module: taken from the sources of its package, whose own entry needs a library around it.
// Each change to it is here with its reason; one that no longer finds its place ends the build.
import { readFileSync } from 'node:fs';

const ENGINE = 'node_modules/@huggingface/transformers-structured-output/src/engine';
const SPEND = "import { spend } from 'spend';\n";

/** Begins a function with a step of work, so that a hostile schema ends at a number of steps and not in hours. */
const counted = (head) => [head, `${head}\n    spend(1);`];

const CHANGES = {
  'constraint.ts': [
    // bytes of pieces come from our own tokenizers
    [
      "import { extractTokenizer, type TokenizerData } from './tokenizer';",
      "import { type TokenizerData } from './tokenizer';",
    ],
    [
      'const data = extractTokenizer(source);',
      'const data = { ...source, specialTokenIds: new Set<number>(source.specialTokenIds) };',
    ],
    // machines of our own: choices, calls of tools, white space before an answer
    ['const machine = createMachine(responseFormat, tokenizer);', 'const machine = responseFormat.machine;'],
    [
      '                const current = states.pop()!;',
      '                const current = states.pop()!;\n                spend(1);',
    ],
  ],
  'json.ts': [
    counted(
      'function validateNode(schema: Schema, node: JsonNode, active = new Map<object, Set<JsonNode>>()): boolean {',
    ),
    counted('function nodeEqualsValue(node: JsonNode, value: unknown): boolean {'),
    counted('function nodesEqual(left: JsonNode, right: JsonNode): boolean {'),
    counted('function schemaMayAcceptKind(schema: Schema, kind: Kind, seen: Set<object>): boolean {'),
    counted('function constrainedPropertyKeys(schema: Schema, seen: Set<object>): Set<string> | null {'),
    counted('function registerSchemaContext(schema: Schema, root: Schema, seen = new Set<object>()): void {'),
    // schemas that hold themselves are rings here
    [
      "function checkSchema(schema: Schema, path: string): void {\n    if (typeof schema === 'boolean') return;",
      `function checkSchema(schema: Schema, path: string, seen = new Set<Schema>()): void {
    spend(1);
    if (typeof schema === 'boolean' || seen.has(schema)) return;
    seen.add(schema);`,
    ],
    ['checkSchema(child, `${path}.schema[${index}]`)', 'checkSchema(child, `${path}.schema[${index}]`, seen)'],
    // bytes that are no UTF-8 would be found at the closing quote, which could then never come
    [
      '        length++;\n    }\n    const bytes = [...(state.bytes ?? []), byte];',
      `        length++;
    }
    const lead = state.bytes?.at(-1) ?? 0;
    if (pending < 0 || (lead === 0xe0 && byte < 0xa0) || (lead === 0xed && byte > 0x9f)) return DEAD;
    if ((lead === 0xf0 && byte < 0x90) || (lead === 0xf4 && byte > 0x8f && byte < 0xc0)) return DEAD;
    spend(1 + ((state.bytes?.length ?? 0) >> 6));
    const bytes = [...(state.bytes ?? []), byte];`,
    ],
    [
      '    if (byte === 0x5c) {',
      '    if (byte === 0x5c) {\n        if ((state.stringPending ?? 0) !== 0) return DEAD;',
    ],
    ["new TextDecoder('utf-8', { fatal: true })", "new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })"],
    // nothing but a value follows a comma, and none comes where no value could follow
    [
      'if (byte === 0x7d) return closeObject(state);\n            return byte === 0x22',
      `if (byte === 0x7d) return topObject(state).entries.length === 0 ? closeObject(state) : DEAD;
            return byte === 0x22 && objectCanAddProperty(topObject(state))`,
    ],
    [
      "if (state.mode === 'array-value' && byte === 0x5d) return closeArray(state);",
      `if (state.mode === 'array-value' && byte === 0x5d) {
                return (state.stack.at(-1) as ArrayFrame).length === 0 ? closeArray(state) : DEAD;
            }`,
    ],
    [
      'function objectCanAddProperty(frame: ObjectFrame): boolean {\n    if (frame.schema === true || frame.schema === false) return true;',
      `function objectCanAddProperty(frame: ObjectFrame): boolean {
    if (frame.schema === true || frame.schema === false) return true;
    if (typeof frame.schema.maxProperties === 'number' && frame.entries.length >= frame.schema.maxProperties) return false;`,
    ],
    [
      'function exceedsMaxItems(frame: ArrayFrame): boolean {',
      `function exceedsMaxItems(frame: ArrayFrame): boolean {
    if (itemSchema(frame.schema, frame.length) === false) return true;`,
    ],
    // names of any kind are strings as others, whose safe pieces are known
    [
      'function stringCapacity(state: JsonState): number | undefined {',
      `function stringCapacity(state: JsonState): number | undefined {
    if (state.mode === 'key-string' && state.highSurrogate === undefined && (state.stringPending ?? 0) === 0) {
        const frame = topObject(state);
        return typeof frame.schema === 'boolean' || openKeys(frame) === null ? Infinity : undefined;
    }`,
    ],
    // what a name of any kind has said changes nothing, where no name before it begins so: one mask for all its pieces
    [
      '(stringLengthKey(state, stringKeyClamp) ?? bytesKey(state.bytes))',
      '(freeNameKey(state) ?? stringLengthKey(state, stringKeyClamp) ?? bytesKey(state.bytes))',
    ],
    [
      'function stringLengthKey(',
      `const PLAIN_OBJECT = new Set(['type', 'additionalProperties', 'minProperties', 'maxProperties', 'title', 'description']);

function freeNameKey(state: JsonState): string | undefined {
    if (state.mode !== 'key-string' || state.highSurrogate !== undefined || (state.stringPending ?? 0) !== 0) return undefined;
    const { schema, seen } = topObject(state);
    if (schema !== true && !Object.keys(schema).every((key) => PLAIN_OBJECT.has(key) || isEmptyProperties(schema, key))) return undefined;
    for (const frame of state.stack) {
        if (!isContentIndependent(frame.schema, CONTENT_DEPENDENT_FRAME_KEYWORDS, contentNeutralFrames)) return undefined;
    }
    const name = decodeString(state.bytes ?? []) ?? '';
    for (const known of seen) if (known.startsWith(name)) return undefined;
    return '#name';
}

function isEmptyProperties(schema: Schema, key: string): boolean {
    return key === 'properties' && Object.keys((schema as { properties: object }).properties).length === 0;
}

function stringLengthKey(`,
    ],
    // names that are required keep their places where the number of properties is bounded
    [
      'function keyPrefixAllowed(',
      `function openKeys(frame: ObjectFrame): ReadonlyArray<{ key: string; bytes: Uint8Array }> | null {
    const schema = frame.schema as Record<string, unknown>;
    if (typeof schema.maxProperties === 'number' && Array.isArray(schema.required)) {
        const missing = (schema.required as string[]).filter((key) => !frame.seen.has(key));
        if (schema.maxProperties - frame.entries.length <= missing.length) {
            return missing.map((key) => ({ key, bytes: encoder.encode(key) }));
        }
    }
    return encodedPropertyKeys(schema);
}

function keyPrefixAllowed(`,
    ],
    ['encodedPropertyKeys(frame.schema)', 'openKeys(frame)', 4],
    [
      'const childSchema = propertySchema(frame.schema, key, frame.entries);',
      `if (frame.schema !== true && frame.schema !== false && openKeys(frame)?.every((open) => open.key !== key)) return DEAD;
    const childSchema = propertySchema(frame.schema, key, frame.entries);`,
    ],
    // literals and escapes that no value goes on with
    [
      'if (byte === 0x74) return',
      `const one = byte === 0x74 ? true : byte === 0x66 ? false : byte === 0x6e ? null : undefined;
    if (one === null && !validateNode(schema, { kind: 'null', value: null })) return DEAD;
    if (typeof one === 'boolean' && !validateNode(schema, { kind: 'boolean', value: one })) return DEAD;
    if (byte === 0x74) return`,
    ],
    [
      "        if (state.mode === 'key-unicode' && !unicodeKeyPrefixAllowed(state, text)) return DEAD;",
      `        const low = /^d[c-f]/i.test(text);
        const high = state.highSurrogate !== undefined;
        if (text.length >= 2 ? low !== high : high && !/^d/i.test(text)) return DEAD;
        if (state.mode === 'key-unicode' && !unicodeKeyPrefixAllowed(state, text)) return DEAD;
        const values = state.mode === 'unicode' ? finiteStringValues(state.schema) : null;
        if (values !== null && !values.some(({ value }) => unicodeFits(state, value, text))) return DEAD;`,
    ],
    [
      'function unicodeKeyPrefixAllowed(',
      `function unicodeFits(state: JsonState, value: string, hex: string): boolean {
    const prefix = decodeString(state.bytes ?? []);
    if (prefix === null || !value.startsWith(prefix)) return false;
    const high = state.highSurrogate;
    if (high !== undefined && value.charCodeAt(prefix.length) !== high) return false;
    const unit = value.charCodeAt(prefix.length + (high === undefined ? 0 : 1));
    return Number.isInteger(unit) && unit.toString(16).padStart(4, '0').startsWith(hex.toLowerCase());
}

function unicodeKeyPrefixAllowed(`,
    ],
    // numbers that a double holds as they are written, so that a parser and this engine agree on them; those of an enum as they are
    [
      'if (numberPrefixValid(text) && integerPrefixViable(state.schema, text)) return { ...state, text };',
      `const fixed = fixedNumbers(state.schema);
        const fits = fixed === null ? numberPrefixValid(text) && exact(text) : true;
        if (fits && integerPrefixViable(state.schema, text)) return { ...state, text };`,
    ],
    ['const SCALE_DIGIT_LIMIT = 3;', 'const SCALE_DIGIT_LIMIT = 2;'],
    ['(?:[eE]\\+?(\\d{0,3}))?$/.exec(text)', '(?:[eE]\\+?(\\d{0,2}))?$/.exec(text)'],
    [
      'function integerPrefixViable(schema: Schema, text: string): boolean {',
      `function exact(text: string): boolean {
    const [mantissa, exponent = ''] = text.split(/e/i);
    return mantissa.replace(/\\D/g, '').length <= 15 && exponent.replace(/\\D/g, '').length <= 2;
}

function fixedNumbers(schema: Schema): string[] | null {
    if (schema === true || schema === false) return null;
    const values = schema.const === undefined ? schema.enum : [schema.const];
    if (!Array.isArray(values)) return null;
    return values.filter((value) => typeof value === 'number').map((value) => JSON.stringify(value));
}

function integerPrefixViable(schema: Schema, text: string): boolean {
    const fixed = fixedNumbers(schema);
    if (fixed !== null) return fixed.some((number) => number.startsWith(text));`,
    ],
    // of alternatives the one that can begin so, where there is one: it then holds while the value is written, not at its end
    [
      'return schemaMayAcceptKind(schema, kind, new Set()) ? schema : null;',
      `if (!schemaMayAcceptKind(schema, kind, new Set())) return null;
    if (schema === true || schema === false) return schema;
    const keyword = schema.anyOf ? 'anyOf' : 'oneOf';
    const others = Object.keys(schema).filter((key) => key !== keyword);
    if (!Array.isArray(schema[keyword]) || others.some((key) => !ANNOTATIONS.has(key))) return schema;
    const fit = (schema[keyword] as Schema[]).filter((child) => schemaMayAcceptKind(child, kind, new Set()));
    return fit.length === 1 ? selectSchema(fit[0], kind) : schema;`,
    ],
    [
      'const SIMPLE_ESCAPES',
      `const ANNOTATIONS = new Set(['title', 'description', 'default', '$defs', 'definitions', '$schema', '$id', 'x-guidance']);
const SIMPLE_ESCAPES`,
    ],
  ],
  'regex.ts': [
    // what is no single byte is whole characters, as in every other engine, and a dot is no end of line
    ['return byteSet(range(0, 255));', 'return characters(except(range(0, 255), [10, 13]));'],
    ['return { expression: byteSet(bytes), bytes };', 'return { expression: characters(bytes), bytes };'],
    [
      'bytes[word] = ~bytes[word];\n        return byteSet(bytes);',
      'bytes[word] = ~bytes[word];\n        return characters(bytes);',
    ],
    [
      'function byteSet(bytes: Uint32Array): Expression {',
      `function except(bytes: Uint32Array, left: number[]): Uint32Array {
    for (const byte of left) bytes[byte >>> 5] &= ~(1 << (byte & 31));
    return bytes;
}

function characters(bytes: Uint32Array): Expression {
    if (bytes.slice(4).every((word) => word === 0)) return byteSet(bytes);
    const more = range(0x80, 0xbf);
    const row = (...sets: Uint32Array[]): Expression => sequence(sets.map(byteSet));
    return choice([
        byteSet(Uint32Array.from(bytes, (word, i) => (i < 4 ? word : 0))),
        row(range(0xc2, 0xdf), more),
        row(range(0xe0, 0xe0), range(0xa0, 0xbf), more),
        row(except(range(0xe1, 0xef), [0xed]), more, more),
        row(range(0xed, 0xed), range(0x80, 0x9f), more),
        row(range(0xf0, 0xf0), range(0x90, 0xbf), more, more),
        row(range(0xf1, 0xf3), more, more, more),
        row(range(0xf4, 0xf4), range(0x80, 0x8f), more, more),
    ]);
}

function byteSet(bytes: Uint32Array): Expression {`,
    ],
    [
      'return this.source[this.index];',
      `const point = this.source.codePointAt(this.index);
        return point === undefined ? undefined : String.fromCodePoint(point);`,
    ],
    [
      "if ('*+?{})'.includes(character))",
      "if ('^$'.includes(character)) this.fail('anchors are for the two ends');\n        if ('*+?{})'.includes(character))",
    ],
    // repetitions in repetitions
    [
      'function sequence(items: Expression[]): Expression {',
      `function sequence(items: Expression[]): Expression {
    for (const item of items) spend(item.kind === 'sequence' ? item.parts.length : 1);`,
    ],
    ['        const state = this.ops.length;', '        spend(1);\n        const state = this.ops.length;'],
    ['            seen.add(state);\n', '            seen.add(state);\n            spend(1);\n'],
    ["throw new Error('Regex produced too many runtime states.')", 'spend(Infinity)'],
    [
      '        for (const pc of this.states[state]) {\n',
      '        spend(this.states[state].length >> 4);\n        for (const pc of this.states[state]) {\n',
    ],
  ],
};

const ENTRY = `
export { createTokenConstraint } from './constraint.ts';
export { compileJsonSchema } from './json.ts';
export { compileRegex } from './regex.ts';
export { budget } from 'spend';
`;

const BUDGET = `
export const budget = { left: Infinity, end: Infinity };
export function spend(steps) {
  const left = budget.left - steps;
  // the clock is looked at once in 2^14 steps
  const late = left >> 14 !== budget.left >> 14 && performance.now() > budget.end;
  budget.left = late ? -1 : left;
  if (!(budget.left >= 0)) throw new RangeError('budget');
}
`;

/** The engine as an expression, and its name. */
export async function structuredEngine(build) {
  const plugin = {
    name: 'structured output',
    setup(build) {
      build.onResolve({ filter: /^spend$/ }, ({ path }) => ({ path, namespace: 'spend' }));
      build.onLoad({ filter: /./, namespace: 'spend' }, () => ({ contents: BUDGET }));
      build.onLoad({ filter: /engine\/(constraint|json|regex)\.ts$/ }, ({ path }) => {
        const name = path.replace(/.*[\\/]/, '');
        const contents = CHANGES[name].reduce((source, [from, to, times = 1]) => {
          const found = source.split(from).length - 1;
          if (found !== times) throw new Error(`${name}: found ${found} times, not ${times}: ${from}`);
          return source.replaceAll(from, () => to);
        }, readFileSync(path, 'utf8'));
        return { contents: SPEND + contents, loader: 'ts' };
      });
    },
  };
  const { outputFiles: [{ text }] } = await build({
    stdin: { contents: ENTRY, resolveDir: ENGINE },
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'made',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [plugin],
  });
  return text.replace('"use strict";\n', '');
}
