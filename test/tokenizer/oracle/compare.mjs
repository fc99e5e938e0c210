// Holds the tokenizer against what expect.py wrote: ids with special tokens and without, decoded texts, and streams.
// node compare.mjs SEED COMMAND < LINES: a line for each pipeline, the first differences, and `N passed, N failed`.
import { createInterface } from 'node:readline';
import { openTokenizer } from '../../../build/src/tokenizer/open.js';

const SHOWN = 4;

/** Text of control or unknown pieces is never read as such: on purpose the ids differ where the original makes special ids of text. */
const madeOfText = (specials, expected) => expected.some((id) => specials.has(id));

function attempt(run) {
  try {
    return { is: run() };
  } catch (error) {
    if (error?.code === undefined) throw error;
    return { error: error.message };
  }
}

/** Whether both say the same; where the original fails in a way of its own, anything is right. */
function same(ours, theirs) {
  if (theirs.panic !== undefined) return true;
  if (theirs.error !== undefined) return ours.error !== undefined;
  return JSON.stringify(ours.is) === JSON.stringify(theirs.is);
}

function stream(tokenizer, ids) {
  const decoding = tokenizer.stream();
  return ids.map((id) => decoding.push(id)).join('') + decoding.flush();
}

function differences(tokenizer, specials, one) {
  const found = [];
  const check = (what, theirs, run) => {
    const ours = attempt(run);
    if (!same(ours, theirs)) found.push({ what, ours, theirs });
  };
  check('ids', one.special, () => tokenizer.encode(one.text, { special: true }));
  if (!madeOfText(specials, one.plain.is ?? [])) {
    check('ids of plain text', one.plain, () => tokenizer.encode(one.text));
  }
  for (const { ids, shown, skipped } of one.decoded) {
    check(`decode ${JSON.stringify(ids)} with special tokens`, shown, () => tokenizer.decode(ids, { special: true }));
    check(`decode ${JSON.stringify(ids)}`, skipped, () => tokenizer.decode(ids));
    check(`stream ${JSON.stringify(ids)}`, skipped, () => stream(tokenizer, ids));
  }
  return found;
}

const [seed = '1', again = 'node test/tokenizer/oracle/run.mjs'] = process.argv.slice(2);
let [passed, failed] = [0, 0];
let name, tokenizer, specials, wrong, count;
const finish = () => {
  if (name !== undefined) console.log(`${wrong === 0 ? 'ok  ' : 'FAIL'} ${name}: ${count} texts, ${wrong} differ`);
};
for await (const line of createInterface({ input: process.stdin })) {
  const one = JSON.parse(line);
  if (one.pipeline !== undefined) {
    finish();
    [name, wrong, count] = [one.pipeline, 0, 0];
    const opened = attempt(() => openTokenizer(one.file, name));
    tokenizer = opened.is;
    if (one.error !== null && tokenizer) {
      console.log(`  ${name}: the original refuses it (${one.error}), ours opens it`);
    } else if (one.error === null && !tokenizer) {
      console.log(`  ${name}: not opened: ${opened.error}`);
      wrong++;
      failed++;
    }
    specials = new Set(one.specials);
    continue;
  }
  count++;
  if (!tokenizer) continue;
  const found = differences(tokenizer, specials, one);
  if (found.length === 0) passed++;
  else {
    failed++;
    if (wrong++ < SHOWN) {
      console.log(`  ${name}, text ${one.index}: ${JSON.stringify(one.text)}`);
      for (const { what, ours, theirs } of found.slice(0, 2)) {
        console.log(
          `    ${what}\n      ours   ${JSON.stringify(ours.is ?? ours.error)}\n      theirs ${
            JSON.stringify(theirs.is ?? theirs.error)
          }`,
        );
      }
      console.log(`    again: ${again} --seed ${seed} --only ${name} --index ${one.index}`);
    }
  }
}
finish();
console.log(`${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;
