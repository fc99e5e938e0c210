/**
 * Formats that an answer is held to.
 * @module
 */

/** A JSON Schema, draft 2020-12 or 7: an object, or true or false. */
export type JsonSchema = boolean | { readonly [keyword: string]: unknown };

/**
 * The format of a whole answer:
 *
 *   { json: true }       a JSON object
 *   { schema }           a JSON document that is valid by a schema
 *   { regex }            a text that matches a pattern from beginning to end, with or without ^ and $
 *   { choice: [a, b] }   one of some texts, whole
 *
 * All but a prepared `Format` is plain data and can be sent to a worker.
 */
export type FormatOption =
  | { readonly json: true }
  | { readonly schema: JsonSchema }
  | { readonly regex: string }
  | { readonly choice: readonly string[] }
  | Format;

/** A format that was prepared for one vocabulary, for any number of answers: by `structured` of `ternspike/structured`. */
export interface Format {
  /** Begins an answer. @param options.joined whether its text keeps the space that the first piece begins with; default false */
  begin(options?: { readonly joined?: boolean }): FormatRun;
}

/** One answer that is held to a format. */
export interface FormatRun {
  /**
   * Which ids may come next, one bit for each; end tokens where the answer may end. Valid until the next call.
   * @throws {SessionError} `NO_CANDIDATE` where nothing can follow
   * @throws {FormatError} `SCHEMA_LIMIT` where the format takes too much work
   */
  mask(): Uint32Array;
  /** Takes the id that came. @throws {SessionError} `TOKEN` for one that the mask excluded */
  accept(id: number): void;
  /** Whether the answer is whole and nothing but white space could follow. Looked at after `accept`. */
  readonly complete: boolean;
}
