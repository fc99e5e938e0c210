/**
 * Options of a call of the AI SDK → options of a chat. What cannot be had becomes a warning.
 * @module
 */
import type { LanguageModelV4CallOptions, SharedV4Warning } from '@ai-sdk/provider';
import { ANSWER_RULES, type AnswerOptions } from '../chat/types.ts';
import { type ChatCallOptions, GENERATE_RULES } from '../model/types.ts';
import { ANY, checkOptions, OBJECT, picked, type Rules, TEXT } from '../options.ts';
import { SAMPLER_RULES, type SamplerOptions } from '../sample/options.ts';

/** `providerOptions.ternspike`: what the AI SDK has no names for. Also `ternspike` of its messages is ignored. */
export interface TernspikeOptions extends Omit<SamplerOptions, 'seed'>, Pick<AnswerOptions, 'toolStyle'> {
  /** No end token is drawn before so many tokens. */
  readonly minTokens?: number;
  /** Instead of the model's chat template: its text, or the name of one of the model's. */
  readonly template?: string;
  /** Further variables of the template. */
  readonly variables?: Readonly<Record<string, unknown>>;
}

const { seed: _seed, ...DRAWN } = SAMPLER_RULES;

/** Which values are right. */
const RULES: Rules<TernspikeOptions> = {
  ...DRAWN,
  toolStyle: ANSWER_RULES.toolStyle,
  minTokens: GENERATE_RULES.minTokens,
  template: TEXT,
  variables: OBJECT,
};

/** What a call becomes. */
export interface Asked {
  readonly options: ChatCallOptions;
  readonly warnings: SharedV4Warning[];
}

/**
 * @param chats whether the model has a chat template: without one there are no tools
 * @throws {OptionError} for `providerOptions.ternspike` out of range
 */
export function askedOf(call: LanguageModelV4CallOptions, chats: boolean): Asked {
  const warnings: SharedV4Warning[] = [];
  const cannot = (feature: string, details: string): void =>
    void warnings.push({ type: 'unsupported', feature, details });
  const own = call.providerOptions?.ternspike ?? {};
  checkOptions('providerOptions.ternspike', own, { ...RULES, seed: ANY });
  const { variables, ...drawn } = picked<TernspikeOptions>(own as TernspikeOptions, RULES);
  const tools = (call.tools ?? []).flatMap((tool) => {
    if (tool.type === 'function' && chats) {
      const { name, description, inputSchema } = tool;
      return [{ type: 'function', function: { name, description, parameters: inputSchema } }];
    }
    const details = chats ? 'tools of providers run on their servers' : 'this model has no chat template';
    cannot(`tool ${tool.name}`, details);
    return [];
  });
  const choice = call.toolChoice;
  const toolChoice = choice === undefined
    ? undefined
    : choice.type === 'tool'
    ? { name: choice.toolName }
    : choice.type;
  const forced = tools.length > 0 && toolChoice !== undefined && toolChoice !== 'auto' && toolChoice !== 'none';
  const format = formatOf(call.responseFormat);
  if (format && forced) cannot('responseFormat', 'the answer is a call of a tool');
  const thinking = thinkingOf(call.reasoning);
  if (thinking && !chats) cannot('reasoning', 'this model has no chat template');
  const all = {
    ...drawn,
    maxTokens: call.maxOutputTokens,
    temperature: call.temperature ?? drawn.temperature,
    topP: call.topP ?? drawn.topP,
    topK: call.topK ?? drawn.topK,
    presencePenalty: call.presencePenalty ?? drawn.presencePenalty,
    frequencyPenalty: call.frequencyPenalty ?? drawn.frequencyPenalty,
    seed: call.seed,
    stop: call.stopSequences && call.stopSequences.length > 0 ? call.stopSequences : undefined,
    format: forced ? undefined : format,
    signal: call.abortSignal,
    ...(chats && {
      tools: tools.length > 0 ? tools : undefined,
      toolChoice: tools.length > 0 ? toolChoice : undefined,
      variables: thinking || variables ? { ...thinking, ...variables } : undefined,
    }),
  };
  const given = Object.entries(all).filter(([name, value]) =>
    value !== undefined && (chats || !['template', 'toolStyle'].includes(name))
  );
  return { options: Object.fromEntries(given) as ChatCallOptions, warnings };
}

function formatOf(format: LanguageModelV4CallOptions['responseFormat']): ChatCallOptions['format'] {
  if (format?.type !== 'json') return undefined;
  return format.schema === undefined
    ? { json: true }
    : { schema: format.schema as { readonly [key: string]: unknown } };
}

/** As the templates of models that think are told. */
function thinkingOf(reasoning: LanguageModelV4CallOptions['reasoning']): Record<string, unknown> | undefined {
  if (reasoning === undefined || reasoning === 'provider-default') return undefined;
  return reasoning === 'none' ? { enable_thinking: false } : { enable_thinking: true, reasoning_effort: reasoning };
}
