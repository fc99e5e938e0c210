// deno run -A main.ts [PROMPT]
import { open } from 'ternspike';
import { defaultModel } from 'ternspike/default-model';

const encoder = new TextEncoder();
const write = (text: string) => Deno.stdout.write(encoder.encode(text));

await using model = await open(defaultModel);
const prompt = Deno.args[0] ?? 'Once upon a time';
await write(prompt);
for await (const { text } of model.generate(prompt, { maxTokens: 100, temperature: 0.8 })) await write(text);
await write('\n');
