/**
 * What a chat answers besides text: tools that are called, and what a model thinks before it speaks.
 * @module
 */
import { FLAG, oneOf, type Rule, type Rules } from '../options.ts';

/** A tool that the model calls. */
export interface ToolCall {
  /** Nine letters and digits, the same for the same prompt and call: what the tool's result names as `tool_call_id`. */
  readonly id: string;
  readonly name: string;
  /** The arguments as JSON text, an object, as the model wrote it. */
  readonly arguments: string;
}

/** Whether tools are called: as the model likes (`auto`), never, some tool, or the one of this name. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string };

/**
 * How models write that they call a tool.
 *
 *   hermes    <tool_call>{"name": …, "arguments": …}</tool_call>, of Qwen and Hermes; Qwen Coder's <function=…> in it, too
 *   llama3    {"name": …, "parameters": …} as the whole answer, also after <|python_tag|>; <function=…>{…}</function>
 *   mistral   [TOOL_CALLS][{"name": …, "arguments": …}], or [TOOL_CALLS]name[ARGS]{…}
 */
export type ToolStyle = 'hermes' | 'llama3' | 'mistral';

/** How the answer of a chat is read. */
export interface AnswerOptions {
  /** Default `auto`. `none` keeps the tools from the template; `required` and a name hold the answer to one call whose arguments
   *  are valid by the tool's schema. */
  readonly toolChoice?: ToolChoice;
  /** How calls are written. Default: as the chat template does it. */
  readonly toolStyle?: ToolStyle;
  /** Whether the model's thinking, between `<think>` and `</think>`, is split off into `reasoning`. Default: where the chat
   *  template mentions such tags. False leaves it in the text. */
  readonly reasoning?: boolean;
}

const CHOICE: Rule = {
  expected: 'auto, none, required, or an object with the name of a tool',
  holds: (value) =>
    ['auto', 'none', 'required'].includes(value as string) ||
    (typeof value === 'object' && typeof (value as { name?: unknown } | null)?.name === 'string'),
};

/** Which values are right. */
export const ANSWER_RULES: Rules<AnswerOptions> = {
  toolChoice: CHOICE,
  toolStyle: oneOf('hermes', 'llama3', 'mistral'),
  reasoning: FLAG,
};
