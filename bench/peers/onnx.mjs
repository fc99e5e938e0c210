// A BERT without embeddings as an ONNX graph, written by hand: the few messages of onnx.proto that it needs, in protobuf.
import { Buffer } from 'node:buffer';

const varint = (n) => {
  const bytes = [];
  for (let left = BigInt(n);; left >>= 7n) {
    if (left < 128n) return Buffer.from([...bytes, Number(left)]);
    bytes.push(Number(left & 127n) | 128);
  }
};
const int = (field, n) => Buffer.concat([varint(field << 3), varint(n)]);
const bytes = (field, value) => {
  const data = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([varint((field << 3) | 2), varint(data.length), data]);
};
const float = (field, value) => {
  const data = Buffer.alloc(4);
  data.writeFloatLE(value);
  return Buffer.concat([varint((field << 3) | 5), data]);
};
const message = (...parts) => Buffer.concat(parts);
const FLOAT = 1;
const INT64 = 7;
const attributes = {
  perm: (list) => message(bytes(1, 'perm'), ...list.map((n) => int(8, n)), int(20, 7)),
  axis: (n) => message(bytes(1, 'axis'), int(3, n), int(20, 2)),
  epsilon: (value) => message(bytes(1, 'epsilon'), float(2, value), int(20, 1)),
};

/**
 * @param shape `{ batch, tokens, width, hidden, heads, layers }`
 * @param weights `(name, dims) => Float32Array`: `l0.q.w` (from, to) … `l0.q.b`, for q, k, v, o, up, down; `l0.n1.g`, `l0.n1.b`, n2
 * @returns the bytes of the model, whose input `x` is (batch · tokens, width), and the name of its output
 */
export function bertGraph({ batch, tokens, width, hidden, heads, layers }, weights) {
  const nodes = [];
  const stored = [];
  const tensor = (name, dims, type, data) => {
    stored.push(bytes(5, message(...dims.map((n) => int(1, n)), int(2, type), bytes(8, name), bytes(9, data))));
    return name;
  };
  const node = (op, inputs, output, given = {}) => {
    const more = Object.entries(given).map(([name, value]) => bytes(5, attributes[name](value)));
    const named = [...inputs.map((name) => bytes(1, name)), bytes(2, output), bytes(3, output), bytes(4, op)];
    nodes.push(bytes(1, message(...named, ...more)));
    return output;
  };
  const weight = (name, dims) => {
    const { buffer, byteOffset, byteLength } = weights(name, dims);
    return tensor(name, dims, FLOAT, Buffer.from(buffer, byteOffset, byteLength));
  };
  const constant = (name, values) =>
    tensor(name, [values.length], INT64, Buffer.from(BigInt64Array.from(values.map(BigInt)).buffer));
  const linear = (x, name, from, to) =>
    node('Add', [
      node('MatMul', [x, weight(`${name}.w`, [from, to])], `${name}.m`),
      weight(`${name}.b`, [to]),
    ], `${name}.y`);
  const norm = (x, name) =>
    node('LayerNormalization', [x, weight(`${name}.g`, [width]), weight(`${name}.b`, [width])], `${name}.y`, {
      axis: -1n & 0xffffffffffffffffn,
      epsilon: 1e-12,
    });
  constant('split', [batch, tokens, heads, width / heads]);
  constant('whole', [batch * tokens, width]);
  const share = Buffer.alloc(4);
  share.writeFloatLE(1 / Math.sqrt(width / heads));
  tensor('scale', [1], FLOAT, share);
  let x = 'x';
  for (let i = 0; i < layers; i++) {
    const of = (name) => `l${i}.${name}`;
    const apart = (name, perm) => {
      const split = node('Reshape', [linear(x, of(name), width, width), 'split'], of(`${name}.split`));
      return node('Transpose', [split], of(`${name}.heads`), { perm });
    };
    const [q, k, v] = [apart('q', [0, 2, 1, 3]), apart('k', [0, 2, 3, 1]), apart('v', [0, 2, 1, 3])];
    const scores = node('Mul', [node('MatMul', [q, k], of('qk')), 'scale'], of('scores'));
    const shares = node('Softmax', [scores], of('shares'), { axis: 3 });
    const mixed = node('Transpose', [node('MatMul', [shares, v], of('sv'))], of('mixed'), { perm: [0, 2, 1, 3] });
    const out = linear(node('Reshape', [mixed, 'whole'], of('joined')), of('o'), width, width);
    const h = norm(node('Add', [out, x], of('r1')), of('n1'));
    const up = node('Gelu', [linear(h, of('up'), width, hidden)], of('gelu'));
    x = norm(node('Add', [linear(up, of('down'), hidden, width), h], of('r2')), of('n2'));
  }
  const shape = message(...[batch * tokens, width].map((n) => bytes(1, int(1, n))));
  const value = (name) => message(bytes(1, name), bytes(2, bytes(1, message(int(1, FLOAT), bytes(2, shape)))));
  const body = message(...nodes, bytes(2, 'bert'), ...stored, bytes(11, value('x')), bytes(12, value(x)));
  return { model: message(int(1, 9), bytes(7, body), bytes(8, message(bytes(1, ''), int(2, 20)))), output: x };
}
