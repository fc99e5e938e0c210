// Compares the templates that template-fuzz.py wrote with what the build makes of them: node test/oracles/template-fuzz.mjs cases.jsonl [SHOWN]
import { readFileSync } from 'node:fs';
import { renderTemplate } from '../../build/src/tokenizer/template.js';

const [path, most = '20'] = process.argv.slice(2);
const [{ data }, ...cases] = readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
const { messages, ...variables } = data;
let [same, refused, shown] = [0, 0, 0];
for (const { template, expected } of cases) {
  let text;
  let why = '';
  try {
    text = renderTemplate(template, messages, {
      variables,
      bosToken: '<s>',
      eosToken: '</s>',
      date: new Date(2026, 2, 5, 7, 8, 9),
    });
  } catch (error) {
    text = null;
    why = error.message;
  }
  if (text === expected) {
    same++;
    refused += expected === null ? 1 : 0;
  } else if (shown++ < Number(most)) {
    console.log(JSON.stringify({ template, expected, text, why: why || undefined }));
  }
}
console.log(`${same} of ${cases.length} the same (${refused} of them refused by both), ${cases.length - same} not`);
process.exitCode = same === cases.length ? 0 : 1;
