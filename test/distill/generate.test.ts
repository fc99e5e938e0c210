/** Text that the teacher writes: each document once, kept on the disk, the same for the same options. And its answers. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { generateText, type GenerateTextOptions } from '../../src/distill/students/symboliclight/generate.ts';
import { Teacher, teacherDigest, type TeacherModel } from '../../src/distill/students/symboliclight/teacher.ts';
import { open } from '../../src/entries/index.ts';
import { speakingModel } from '../cli/cli.ts';
import { refuses } from '../refusal.ts';
import { spmMetadata, tokenizerOf } from '../tokenizer/builders.ts';
import { memoryFolder } from './memory-folder.ts';

const generate = suite('distill generate');

const BOS = 1;
const EOS = 2;

/** A teacher whose document of a seed is seed modulo `kinds`, written as that many digits. */
function counting(kinds: number, last: number = EOS): TeacherModel & { written: number } {
  const tokenizer = tokenizerOf(spmMetadata());
  const model = {
    written: 0,
    tokenizer,
    describe: () => ({ vocab: 4, trainedContext: 64 }),
    logits: async (ids: readonly number[]) => ids.map((id) => Float32Array.of(id, kinds, 0, 0)),
    async *generate(_: readonly number[], { seed, maxTokens }: { seed: number; maxTokens: number }) {
      model.written++;
      const ids = [3 + (seed % kinds), 5, 6, 7, last, 9].slice(0, maxTokens);
      for (const id of ids) yield { id };
      yield { id: null };
    },
  };
  return model;
}

const OPTIONS: GenerateTextOptions = { tokens: 20, temperature: 1, length: 512, seed: 0 };

generate('whole documents from bos to the end of text, at least as many tokens as wanted', async () => {
  for (const last of [BOS, EOS]) {
    const ids = await generateText(counting(50, last), memoryFolder(), OPTIONS);
    assert.equal([...ids], [0, 1, 2, 3].flatMap((n) => [BOS, 3 + n, 5, 6, 7]));
  }
});

generate('a document that does not end in time is left out', async () => {
  const model = counting(50);
  const sometimes: TeacherModel = {
    ...model,
    async *generate(prompt, options) {
      for await (const chunk of model.generate(prompt as number[], options)) {
        // documents of odd seeds go on
        if (chunk.id !== EOS || options.seed % 2 === 0) yield chunk;
      }
    },
  };
  const ids = await generateText(sometimes, memoryFolder(), { ...OPTIONS, length: 5, tokens: 10 });
  assert.equal([...ids], [BOS, 3, 5, 6, 7, BOS, 5, 5, 6, 7]);
  await refuses(generateText(counting(50), memoryFolder(), { ...OPTIONS, length: 4 }), 'DISTILL', 'ends within 4');
});

generate('documents may end with a token of their own', async () => {
  const ids = await generateText(counting(50), memoryFolder(), { ...OPTIONS, tokens: 6, eos: EOS });
  assert.equal([...ids], [BOS, 3, 5, 6, 7, EOS, BOS, 4, 5, 6, 7, EOS]);
});

generate('a document comes once', async () => {
  const model = counting(4);
  assert.is((await generateText(model, memoryFolder(), OPTIONS)).length, 20);
  assert.is(model.written, 4);
  await refuses(generateText(counting(3), memoryFolder(), OPTIONS), 'DISTILL', '3 documents', 'temperature');
});

generate('what was written is kept, and more is added behind it', async () => {
  const folder = memoryFolder();
  const model = counting(1000);
  const first = await generateText(model, folder, OPTIONS);
  const longer = await generateText(model, folder, { ...OPTIONS, tokens: 40 });
  assert.is(model.written, 8);
  assert.equal(longer.subarray(0, 20), first);
  assert.equal(await generateText(model, folder, OPTIONS), first);
  assert.equal(await generateText(counting(1000), memoryFolder(), { ...OPTIONS, tokens: 40 }), longer);
  assert.is(model.written, 8);
});

generate('another teacher, temperature, length or seed has a file of its own', async () => {
  const folder = memoryFolder();
  await generateText(counting(1000), folder, OPTIONS);
  for (const other of [{ temperature: 0.8 }, { length: 9 }, { seed: 5 }]) {
    await generateText(counting(1000), folder, { ...OPTIONS, ...other });
  }
  await generateText(counting(999), folder, OPTIONS);
  assert.is(folder.files.size, 5);
});

generate('a file that is cut or altered is written anew', async () => {
  const folder = memoryFolder();
  const first = await generateText(counting(1000), folder, OPTIONS);
  const [[name, bytes]] = folder.files;
  const flipped = bytes.slice();
  flipped[20] ^= 4;
  for (const bad of [flipped, bytes.subarray(0, 33), new Uint8Array(2)]) {
    folder.files.set(name, bad);
    assert.equal(await generateText(counting(1000), folder, OPTIONS), first);
    assert.equal(folder.files.get(name), bytes);
  }
});

generate('an interrupt keeps what is written', async () => {
  const folder = memoryFolder();
  const controller = new AbortController();
  const model = counting(1000);
  const onProgress = ({ documents }: { documents: number }): void => {
    if (documents === 2) controller.abort(new Error('enough'));
  };
  const cut = generateText(model, folder, { ...OPTIONS, onProgress, signal: controller.signal });
  await cut.then(() => assert.unreachable(), (error: Error) => assert.is(error.message, 'enough'));
  await generateText(model, folder, OPTIONS);
  assert.is(model.written, 4);
});

generate('a teacher without bos is refused', async () => {
  const model = counting(9);
  const tokenizer = { ...model.tokenizer, specials: { stop: [] } };
  await refuses(generateText({ ...model, tokenizer }, memoryFolder(), OPTIONS), 'OPTION', 'bos');
});

generate('a real model writes, and answers with its logits', async () => {
  await using model = await open(speakingModel());
  const ids = await generateText(model, memoryFolder(), { ...OPTIONS, tokens: 100, length: 24 });
  assert.ok(ids.length >= 100 && ids[0] === BOS && ids.every((id) => id >= 0 && id < model.describe().vocab));
  const { vocab } = model.describe();
  const rows = ids.slice(0, 12);
  const batch = await new Teacher(model, vocab + 2).batch(rows, 5);
  assert.equal([batch.batch, batch.length, batch.teacherLogits?.length], [2, 5, 10 * (vocab + 2)]);
  const [, , third] = await model.logits([...rows.subarray(6, 9)]);
  const at = 7 * (vocab + 2);
  assert.equal(batch.teacherLogits!.slice(at, at + vocab), third);
  assert.ok(batch.teacherLogits![at + vocab] < -1000, 'tokens that the teacher does not have');
  await refuses((async () => new Teacher(model, vocab - 1))(), 'OPTION', String(vocab));
  assert.is(await teacherDigest(model), await teacherDigest(model));

  const ends = await new Teacher(model, vocab, [], { id: 9, begin: rows[8], bias: 2 }).batch(rows, 5);
  const { teacherLogits: plain } = await new Teacher(model, vocab).batch(rows, 5);
  for (const [i, logit] of plain!.entries()) {
    const row = Math.floor(i / vocab); // the second window begins at id 6, and a document with its third id
    const biased = i % vocab === 9 &&
      ![...rows.subarray(row < 5 ? 0 : 6, row < 5 ? row + 1 : row + 2)].includes(rows[8]);
    assert.is(ends.teacherLogits![i], biased ? Math.fround(logit + 2) : logit);
  }

  const { teacherHidden } = await new Teacher(model, vocab, [1, 0]).batch(rows, 5);
  const streams = new Map<string, Float32Array>();
  await model.logits([...rows.subarray(6, 11)], {
    onHidden: (layer, i, x) => void streams.set(`${layer} ${i}`, x.slice()),
  });
  const width = streams.get('0 0')!.length;
  assert.equal(teacherHidden!.map(({ length }) => length), [10 * width, 10 * width]);
  assert.equal(teacherHidden![0].slice(7 * width, 8 * width), streams.get('1 2'));
  assert.equal(teacherHidden![1].slice(5 * width, 6 * width), streams.get('0 0'));
});

generate.run();
