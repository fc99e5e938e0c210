// node index.mjs [PROMPT]
import process from 'node:process';
import { open } from 'ternspike';
import { defaultModel } from 'ternspike/default-model';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const model = await open(process.env.MODEL ?? defaultModel);
const prompt = process.argv[2] ?? 'Once upon a time';
process.stdout.write(prompt);
try {
  for await (const { text } of model.generate(prompt, { maxTokens: 100, temperature: 0.8, signal: stop.signal })) {
    process.stdout.write(text);
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  process.stdout.write('\n');
  model.dispose();
}
