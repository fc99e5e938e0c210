/**
 * Tools that a request offers to the model.
 * @module
 */
import type { ToolChoice } from '../chat/types.ts';
import { shown } from '../options.ts';
import { badField } from './errors.ts';

/** OpenAI's bound. */
const MAX_TOOLS = 128;

/** A function, as templates and the engine take it. */
export interface FunctionTool {
  readonly type: 'function';
  readonly function: { readonly name: string; readonly description?: string; readonly parameters?: object };
}

/** @throws {ApiError} 400 with the place */
export function readTools(value: unknown): FunctionTool[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw badField('tools', `tools is ${shown(value)}, expected a list`);
  if (value.length > MAX_TOOLS) throw badField('tools', `tools has ${value.length} tools, at most ${MAX_TOOLS}`);
  return value.map((tool: unknown, i) => {
    const at = `tools[${i}]`;
    const { type, function: described } = (tool ?? {}) as { readonly type?: unknown; readonly function?: unknown };
    if (type !== 'function') throw badField(`${at}.type`, `${at}.type is ${shown(type)}, expected "function"`);
    return { type, function: readFunction(described, `${at}.function`) };
  });
}

/** The description of a function. @throws {ApiError} 400 */
export function readFunction(value: unknown, at: string): FunctionTool['function'] {
  const { name, description, parameters } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== 'string' || !/^[\w.-]{1,64}$/.test(name)) {
    throw badField(`${at}.name`, `${at}.name is ${shown(name)}, expected 1 to 64 letters, digits, _ . and -`);
  }
  if (description !== undefined && description !== null && typeof description !== 'string') {
    throw badField(`${at}.description`, `${at}.description is ${shown(description)}, expected a text`);
  }
  if (
    parameters !== undefined && parameters !== null && (typeof parameters !== 'object' || Array.isArray(parameters))
  ) {
    throw badField(`${at}.parameters`, `${at}.parameters is ${shown(parameters)}, expected a schema, an object`);
  }
  return { name, ...(description ? { description } : {}), ...(parameters ? { parameters } : {}) };
}

/** @throws {ApiError} 400 for a choice that is none, or a function that is not among the tools */
export function readToolChoice(value: unknown, tools: readonly FunctionTool[]): ToolChoice | undefined {
  if (value === undefined || value === null) return undefined;
  const names = tools.map((tool) => tool.function.name);
  if (value === 'auto' || value === 'none' || value === 'required') {
    if (value === 'required' && names.length === 0) {
      throw badField('tool_choice', 'tool_choice is required, without tools');
    }
    return value;
  }
  const { name, function: named } = value as {
    readonly name?: unknown;
    readonly function?: { readonly name?: unknown };
  };
  const wanted = named?.name ?? name;
  if (typeof wanted === 'string' && names.includes(wanted)) return { name: wanted };
  throw badField(
    'tool_choice',
    `tool_choice is ${shown(wanted ?? value)}, expected auto, none, required or the name of one of the tools`,
  );
}
