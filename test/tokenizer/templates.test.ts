/** Chat templates of many families, and single constructs, against the answers of jinja2 (`test/oracles/templates.py` writes them). */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { TemplateError } from '../../src/errors.ts';
import { type ChatMessage, renderTemplate } from '../../src/tokenizer/template.ts';
import { checkout } from '../house/checkout.ts';
import { json, sharedTest } from '../shared.ts';

interface Conversation {
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly unknown[];
  readonly add_generation_prompt: boolean;
  readonly [variable: string]: unknown;
}

interface Answers {
  readonly templates: Readonly<Record<string, string>>;
  readonly conversations: Readonly<Record<string, Conversation>>;
  /** `expected` is null where jinja2 refuses. */
  readonly cases: readonly {
    readonly name: string;
    readonly template: string;
    readonly conversation: string;
    readonly expected: string | null;
  }[];
}

const date = new Date(2026, 2, 5, 7, 8, 9);
const tokens = { bosToken: '<s>', eosToken: '</s>', date };

const { templates, conversations, cases } = JSON.parse(
  readFileSync(join(checkout(), 'test/tokenizer/templates.json'), 'utf8'),
) as Answers;

const test = suite('tokenizer/templates');

test('there are as many as were written', () => {
  assert.ok(Object.keys(templates).length >= 80 && cases.length >= 180);
  assert.ok(cases.filter(({ expected }) => expected === null).length < cases.length / 5);
});

for (const { name, template, conversation, expected } of cases) {
  test(`as jinja2: ${name}`, () => {
    const { messages, tools, add_generation_prompt: addGenerationPrompt, ...variables } = conversations[conversation];
    const render = (): string =>
      renderTemplate(templates[template], messages, { ...tokens, tools, addGenerationPrompt, variables });
    if (expected !== null) return void assert.is(render(), expected);
    assert.throws(render, (error: unknown) => error instanceof TemplateError && error.code === 'TEMPLATE');
  });
}

interface Reported {
  readonly name: string;
  readonly template: string;
  readonly messages: readonly ChatMessage[];
  readonly tools?: readonly unknown[];
  readonly expected: string;
}

sharedTest(test, 'templates as people reported them', 'conformance/bug-reports/templates.cases.json', (path) => {
  const reported = json<Reported[]>(path);
  assert.ok(reported.length >= 24);
  for (const { name, template, messages, tools, expected } of reported) {
    assert.is(renderTemplate(template, messages, { ...tokens, tools }), expected, name);
  }
});

test.run();
