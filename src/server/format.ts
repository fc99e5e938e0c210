/**
 * `response_format`: what an answer is held to.
 * @module
 */
import type { FormatOption, JsonSchema } from '../structured/types.ts';
import { type Rule, shown } from '../options.ts';
import { badField } from './errors.ts';

/** As requests have it: in OpenAI's nested form, or in llama-server's flat one. */
export interface ResponseFormat {
  readonly type?: unknown;
  readonly json_schema?: unknown;
  readonly schema?: unknown;
  readonly regex?: unknown;
  readonly choice?: unknown;
}

/** Which values may be looked at. */
export const FORMAT: Rule = {
  expected: 'an object with a type',
  holds: (value) => typeof value === 'object' && value !== null && typeof (value as ResponseFormat).type === 'string',
};

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value));

/** What the engine is told; undefined for plain text. @throws {ApiError} 400 */
export function responseFormat(format: ResponseFormat, param: string = 'response_format'): FormatOption | undefined {
  const { type, json_schema: nested, schema, regex, choice } = format;
  switch (type) {
    case 'text':
      return undefined;
    case 'json_object':
      return isSchema(schema) ? { schema } : { json: true };
    case 'json_schema': {
      const found = (nested as { readonly schema?: unknown } | null | undefined)?.schema ?? schema;
      if (isSchema(found)) return { schema: found };
      throw badField(`${param}.json_schema.schema`, `${param} has no schema: give it as json_schema.schema, an object`);
    }
    case 'regex':
      if (typeof regex === 'string') return { regex };
      throw badField(`${param}.regex`, `${param}.regex is ${shown(regex)}, expected a text`);
    case 'choice':
      if (Array.isArray(choice) && choice.every((one) => typeof one === 'string')) return { choice };
      throw badField(`${param}.choice`, `${param}.choice is ${shown(choice)}, expected a list of texts`);
    default:
      throw badField(
        `${param}.type`,
        `${param}.type is ${shown(type)}, expected one of text, json_object, json_schema, regex, choice`,
      );
  }
}
