/**
 * Refusals that the AI SDK knows: marked as its own errors are, so that its `isInstance` finds them without its code being here.
 * @module
 */
import { OptionError } from '../errors.ts';

/** How the AI SDK marks its errors. */
const MARKER = 'vercel.ai.error';

function marked(error: OptionError, name: string, fields: object): OptionError {
  return Object.assign(error, fields, { [Symbol.for(MARKER)]: true, [Symbol.for(`${MARKER}.${name}`)]: true });
}

/** No such model, as `AI_NoSuchModelError`. */
export function noSuchModel(modelId: string, modelType: string, known: string): OptionError {
  const reason = `no ${modelType} is called ${JSON.stringify(modelId.slice(0, 60))}; this provider has ${known}`;
  return marked(new OptionError('OPTION', reason), 'AI_NoSuchModelError', { modelId, modelType });
}

/** What no model here does, as `AI_UnsupportedFunctionalityError`. */
export function unsupported(functionality: string): OptionError {
  const reason = `${functionality} is not supported: models take text`;
  return marked(new OptionError('OPTION', reason), 'AI_UnsupportedFunctionalityError', { functionality });
}
