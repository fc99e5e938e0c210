/**
 * What every runtime must give: hashes of exact bits. Written by `node test/runtimes/golden.mjs` when a change of the
 * numbers is meant; a reviewer sees then which of them changed.
 * @module
 */

/** Fact → hash. */
export const RECORDED: Readonly<Record<string, string>> = {
  'logits of a random f32 model': '8cc797a5130429bc',
  'logits of a random f16 model': 'ed9a4c7259316b84',
  'logits of a random bf16 model': '4b3deb6129c573aa',
  'logits of a random q8_0 model': 'b2e9330021bb743d',
  'logits of a random tq1_0 model': '30b99be2f3d6d00e',
  'logits of a random tq2_0 model': '6505b6e0971337a2',
  'logits of a random q2_0 model': 'd3767d6dc543b602',
  'logits of a random q1_0 model': '9ee63c5b2f6879dc',
  'logits of a random f32 model of shape symboliclight-tiny': '14fa4458b47f451f',
  'logits of a random i8 model of shape symboliclight-tiny': 'c43be812f466c87a',
  'logits of a random q8_0 model of shape symboliclight-tiny': '240148a266a32b63',
  'logits of a random tq2_0 model of shape symboliclight-tiny': 'b426c403716493d1',
  'logits of a random q1_0 model of shape symboliclight-tiny': 'eaf7531ec2957446',
  'text of seed 7': 'fcc15971dd641bd8',
  'logits of ternary-t16': '82c087485f9a5e3d',
  'logits of binary-t8': '5f1888a3e097b50f',
  'story of the model of the package': '7606f974dffbed36',
};
