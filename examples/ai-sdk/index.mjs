// Vercel's AI SDK with a model in this process: nothing is sent anywhere.
import process from 'node:process';
import { streamText } from 'ai';
import { createTernspike } from 'ternspike/ai-sdk';
import { defaultModel } from 'ternspike/default-model';

const ternspike = createTernspike(defaultModel);
const result = streamText({ model: ternspike(), prompt: 'Once upon a time', seed: 1, maxOutputTokens: 100 });
for await (const piece of result.textStream) process.stdout.write(piece);
await ternspike.dispose();
