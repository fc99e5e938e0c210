/** GLUE's files as they are published: layouts, broken lines, and what is refused. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memorySource } from '../../src/bytes/memory.ts';
import type { ByteSource } from '../../src/bytes/source.ts';
import { readLines } from '../../src/eval/glue-lines.ts';
import { type GlueSample, type MalformedLine, readGlue, type ReadGlueOptions } from '../../src/eval/glue-read.ts';
import { GLUE_TASKS, glueSplit, glueTask, labelOrder } from '../../src/eval/glue-tasks.ts';
import { OptionError } from '../../src/errors.ts';
import { MAX_DATA_LINE_BYTES } from '../../src/limits.ts';
import { refuses } from '../refusal.ts';
import { sharedTest } from '../shared.ts';
import { openFile } from '../../src/bytes/file.ts';

const reading = suite('GLUE files');

const source = (text: string | Uint8Array, name = 'dev.tsv'): ByteSource =>
  memorySource(typeof text === 'string' ? new TextEncoder().encode(text) : text, name);

async function all(task: string, text: string | Uint8Array, options: ReadGlueOptions = {}): Promise<{
  samples: GlueSample[];
  malformed: MalformedLine[];
}> {
  const malformed: MalformedLine[] = [];
  const samples: GlueSample[] = [];
  const given = { onMalformed: (line: MalformedLine) => void malformed.push(line), ...options };
  for await (const sample of readGlue(source(text), glueTask(task), given)) samples.push(sample);
  return { samples, malformed };
}

/** A head and two rows of every task, as its files have them. */
const FILES: Readonly<Record<string, { rows: string[]; first: Omit<GlueSample, 'index'>; second: number }>> = {
  cola: {
    rows: ["gj04\t1\t\tOur friends won't buy this analysis.", 'gj04\t0\t*\tThey drank the pub.'],
    first: { line: 1, text: "Our friends won't buy this analysis.", label: 1 },
    second: 0,
  },
  sst2: {
    rows: ['sentence\tlabel', "it 's a charming and often affecting journey . \t1", 'bleak \t0'],
    first: { line: 2, text: "it 's a charming and often affecting journey . ", label: 1 },
    second: 0,
  },
  mrpc: {
    rows: [
      '\ufeffQuality\t#1 ID\t#2 ID\t#1 String\t#2 String',
      '1\t1355540\t1355592\tHe said the "plan" works .\t" The plan works , " he said .',
      '0\t2029631\t2029565\ta\tb',
    ],
    first: { line: 2, text: 'He said the "plan" works .', pair: '" The plan works , " he said .', label: 1 },
    second: 0,
  },
  qqp: {
    rows: [
      'id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate',
      '133273\t213221\t213222\tHow is "life"?\tWhy\u2028so?\t0',
      '1\t2\t3\t\tb\t1',
    ],
    first: { line: 2, text: 'How is "life"?', pair: 'Why\u2028so?', label: 0 },
    second: 1,
  },
  stsb: {
    rows: [
      'index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore',
      '0\tmain-captions\tMSRvid\t2012test\t0000\tnone\tnone\tA man.\tA man!\t5.000',
      '1\tm\tM\t2012\t1\tnone\tnone\ta\tb\t4.75',
    ],
    first: { line: 2, text: 'A man.', pair: 'A man!', label: 5 },
    second: 4.75,
  },
  mnli: {
    rows: [
      'index\tpromptID\tpairID\tgenre\tsentence1_binary_parse\tsentence2_binary_parse\tsentence1_parse\tsentence2_parse\t' +
      'sentence1\tsentence2\tlabel1\tlabel2\tlabel3\tlabel4\tlabel5\tgold_label',
      '0\t63735\t63735n\tslate\t( a )\t( b )\t(ROOT a)\t(ROOT b)\tThe new rights\tEveryone\tneutral\tentailment\t' +
      'neutral\tneutral\tneutral\tneutral',
      '1\t9\t9c\tslate\t(\t)\t(\t)\ta\tb\tcontradiction\tneutral\tneutral\tneutral\tneutral\tcontradiction',
    ],
    first: { line: 2, text: 'The new rights', pair: 'Everyone', label: 2 },
    second: 0,
  },
  qnli: {
    rows: [
      'index\tquestion\tsentence\tlabel',
      '0\tWhat came "?\tAs of that day , " it did\tentailment',
      '1\ta\tb\tnot_entailment',
    ],
    first: { line: 2, text: 'What came "?', pair: 'As of that day , " it did', label: 0 },
    second: 1,
  },
  rte: {
    rows: [
      'index\tsentence1\tsentence2\tlabel',
      '0\tDana Reeve died.\tShe had an accident.\tnot_entailment',
      '1\ta\tb\tentailment',
    ],
    first: { line: 2, text: 'Dana Reeve died.', pair: 'She had an accident.', label: 1 },
    second: 0,
  },
  wnli: {
    rows: [
      'index\tsentence1\tsentence2\tlabel',
      '0\tThe drain is clogged.\tThe hair has to be cleaned.\t0',
      '1\ta\tb\t1',
    ],
    first: { line: 2, text: 'The drain is clogged.', pair: 'The hair has to be cleaned.', label: 0 },
    second: 1,
  },
};

reading('every task has its layout, with LF or CRLF, with or without a mark and a last line feed', async () => {
  assert.equal(Object.keys(FILES), [...GLUE_TASKS]);
  for (const [task, { rows, first, second }] of Object.entries(FILES)) {
    const forms = [
      rows.join('\n'),
      `${rows.join('\n')}\n`,
      `${rows.join('\r\n')}\r\n`,
      `\ufeff${rows.join('\n').replace('\ufeff', '')}\n`,
      `${rows.join('\n')}\n\n\n`,
    ];
    for (const text of forms) {
      const { samples, malformed } = await all(task, text);
      assert.equal(samples[0], { index: 0, ...first }, task);
      assert.equal([samples.length, samples[1].label, samples[1].line], [2, second, first.line + 1], task);
      assert.equal(malformed, []);
    }
  }
});

reading('columns are found by their names', async () => {
  const { samples } = await all('mrpc', '#1 String\t#2 String\tQuality\na\tb\t1\n');
  assert.equal(samples, [{ index: 0, line: 2, text: 'a', pair: 'b', label: 1 }]);
  // MNLI's train file has one annotator's label only
  const head = 'index\tsentence1\tsentence2\tlabel1\tgold_label';
  assert.is((await all('mnli', `${head}\n0\ta\tb\tneutral\tentailment`)).samples[0].label, 1);
});

reading('broken lines are told with their numbers and left out, or refused', async () => {
  const text = [
    'id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate', // 1
    '1\t2\t3\ta\tb\t1',
    '1\t2\t3\tonly half of a line',
    '', // 4
    '',
    '1\t2\t3\ta\tb\t2', // 6
    '1\t2\t3\ta\tb\tc\t1',
    '1\t2\t3\ta\tb\t', // 8
    '1\t2\t3\tc\td\t0',
    '',
  ].join('\n');
  const { samples, malformed } = await all('qqp', text);
  assert.equal(samples.map(({ index, line }) => [index, line]), [[0, 2], [1, 9]]);
  assert.equal(malformed.map(({ line }) => line), [3, 4, 5, 6, 7, 8]);
  assert.equal([malformed[0].reason, malformed[1].reason], ['has 4 columns, expected 6', 'is empty']);
  assert.equal(malformed[3].reason, 'has the label "2", expected one of 0, 1');
  await refuses(all('qqp', text, { malformed: 'refuse' }), 'DATASET_LINE', 'dev.tsv', 'line 3', '4 columns');
  const scores = 'sentence1\tsentence2\tscore\n';
  const stsb = await all('stsb', `${scores}a\tb\t5.1\na\tb\t-1\na\tb\tx\na\tb\t\na\tb\t0\n`);
  assert.equal([stsb.samples.length, stsb.malformed.length], [1, 4]);
  assert.match(stsb.malformed[0].reason, /"5\.1", expected a number from 0 to 5/);
});

reading('a line that is too long or no UTF-8 is one of them, and the next line is read', async () => {
  const row = (text: string): string => `${text}\t1\n`;
  const long = 'a'.repeat(MAX_DATA_LINE_BYTES - 2);
  const bytes = new TextEncoder().encode(`sentence\tlabel\n${row(long)}${row(`${long}a`)}${row('?bad')}${row('good')}`);
  bytes[bytes.indexOf(0x3f)] = 0xff;
  const { samples, malformed } = await all('sst2', bytes);
  assert.equal(samples.map(({ line }) => line), [2, 5]);
  assert.is(samples[0].text.length, long.length);
  assert.equal(malformed, [
    { line: 3, reason: `has ${MAX_DATA_LINE_BYTES + 1} bytes, at most ${MAX_DATA_LINE_BYTES} are read` },
    { line: 4, reason: 'is not UTF-8' },
  ]);
});

reading('lines are the same for any cut of the source into reads', async () => {
  const text = '\ufeffone\r\n\ntwo \u0085 ü 漢\u2029 🚀\rstill two\nlast';
  const bytes = new TextEncoder().encode(text);
  for (const piece of [1, 2, 3, 7, 100]) {
    const whole = source(bytes);
    const slow: ByteSource = { ...whole, read: (into, at) => whole.read(into.subarray(0, piece), at) };
    const lines = [];
    for await (const line of readLines(slow)) lines.push(line);
    assert.equal(lines.map((line) => line.text), ['one', '', 'two \u0085 ü 漢\u2029 🚀\rstill two', 'last']);
    assert.equal(lines.map((line) => line.whole), [true, true, true, false]);
    assert.equal(lines.map((line) => line.end), [8, 9, bytes.length - 4, bytes.length]);
  }
  // longer than what is read at a time
  const wide = 'ä'.repeat(100_000);
  const found = [];
  for await (const { text } of readLines(source(`${wide}\n${wide}x\n`))) found.push(text);
  assert.equal(found, [wide, `${wide}x`]);
});

reading('files that are no labelled data of the task are refused with what they are', async () => {
  await refuses(all('sst2', ''), 'DATASET', 'dev.tsv is empty', 'SST-2');
  await refuses(all('sst2', 'sentence\tlabel\n'), 'DATASET', 'no samples after its header');
  await refuses(all('sst2', 'sentence\tlabel\n\n\n'), 'DATASET', 'no samples');
  await refuses(all('cola', '\n\n'), 'DATASET', 'no samples');
  await refuses(all('sst2', 'index\tsentence\n0\ta\n'), 'DATASET_LABELS', 'no labels', '"index", "sentence"');
  await refuses(all('cola', 'index\tsentence\n0\ta\n'), 'DATASET_LABELS', 'no labels');
  await refuses(all('rte', FILES.sst2.rows.join('\n')), 'DATASET', '"sentence1" and no "sentence2"', 'RTE');
  await refuses(all('cola', FILES.sst2.rows.join('\n')), 'DATASET', 'all 3 lines', 'line 1 has 2 columns, expected 4');
  await refuses(all('sst2', Uint8Array.of(0xff, 0xfe, 10)), 'DATASET', 'line 1 is not UTF-8');
  await refuses(all('sst2', 'sentence\tlabel\na\t1', { malformed: 'keep' as 'skip' }), 'OPTION', '"keep"');
  const aborted = AbortSignal.abort(new Error('enough'));
  try {
    await all('sst2', FILES.sst2.rows.join('\n'), { signal: aborted });
    assert.unreachable('it was read');
  } catch (error) {
    assert.is((error as Error).message, 'enough');
  }
});

reading('tasks and splits go by their names', () => {
  assert.is(glueTask('SST-2').name, 'sst2');
  assert.is(glueTask('sts-b').title, 'STS-B');
  assert.equal(glueSplit(glueTask('mnli'), 'dev'), { split: 'dev-matched', file: 'dev_matched.tsv' });
  assert.is(glueSplit(glueTask('mnli'), 'dev_mismatched').file, 'dev_mismatched.tsv');
  assert.is(glueSplit(glueTask('rte'), 'test').file, 'test.tsv');
  const bad = (run: () => unknown, ...words: string[]): void =>
    assert.throws(
      run,
      (error: unknown) => error instanceof OptionError && words.every((word) => error.message.includes(word)),
    );
  bad(() => glueTask('sst3'), '"sst3"', 'cola, sst2');
  bad(() => glueTask('constructor'), 'expected one of');
  bad(() => glueSplit(glueTask('rte'), 'dev-mismatched'), 'RTE has: train, dev, test');
  bad(() => glueSplit(glueTask('rte'), 'toString'), 'split');
});

reading('outputs of a model are matched to labels by name, else by order', () => {
  assert.equal(labelOrder(glueTask('rte'), ['not_entailment', 'entailment']), [1, 0]);
  assert.equal(labelOrder(glueTask('mnli'), ['LABEL_0', 'LABEL_1', 'LABEL_2']), [0, 1, 2]);
  assert.equal(labelOrder(glueTask('mnli'), ['entailment', 'neutral', 'contradiction']), [2, 0, 1]);
  assert.equal(labelOrder(glueTask('stsb'), []), []);
  assert.throws(() => labelOrder(glueTask('mnli'), ['0', '1']), /2 classes, MNLI asks for 3 labels/);
  assert.throws(() => labelOrder(glueTask('stsb'), ['0', '1']), /STS-B asks for a number/);
  assert.throws(() => labelOrder(glueTask('sst2'), []), /answers a number/);
});

for (const [split, samples, positive] of [['dev', 872, 444], ['train', 67_349, 37_569]] as const) {
  sharedTest(
    reading,
    `SST-2's own ${split} set is read without a malformed line`,
    `data/sst-2/${split}.tsv`,
    async (file) => {
      const opened = await openFile(file);
      let [n, ones, last] = [0, 0, 0];
      for await (const { index, line, label } of readGlue(opened, glueTask('sst2'), { malformed: 'refuse' })) {
        assert.is(index, n++);
        ones += label;
        last = line;
      }
      await opened.close?.();
      assert.equal([n, ones, last], [samples, positive, samples + 1]);
    },
  );
}

reading.run();
