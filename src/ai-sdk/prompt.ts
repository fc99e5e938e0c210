/**
 * Messages of the AI SDK → messages of a chat template, or one text.
 * @module
 */
import type {
  LanguageModelV4FilePart,
  LanguageModelV4Message,
  LanguageModelV4Prompt,
  LanguageModelV4ToolResultOutput,
} from '@ai-sdk/provider';
import type { ChatMessage } from '../tokenizer/template.ts';
import { unsupported } from './errors.ts';

/** @throws {OptionError} for parts that are no text */
export function chatMessages(prompt: LanguageModelV4Prompt): ChatMessage[] {
  return prompt.flatMap((message) => messagesOf(message));
}

/** The texts of a prompt one after the other, for models without a chat template. @throws {OptionError} */
export function plainText(prompt: LanguageModelV4Prompt): string {
  return chatMessages(prompt).map(({ content }) => content).filter(Boolean).join('\n');
}

function messagesOf(message: LanguageModelV4Message): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }];
    case 'user': {
      const texts = message.content.map((part) => (part.type === 'text' ? part.text : fileText(part)));
      return [{ role: 'user', content: texts.join('') }];
    }
    case 'assistant':
      return assistantMessage(message.content);
    case 'tool':
      return message.content.flatMap((part) =>
        part.type === 'tool-result' ? [toolMessage(part.toolCallId, part.toolName, outputText(part.output))] : []
      );
  }
}

type AssistantParts = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'];

function assistantMessage(parts: AssistantParts): ChatMessage[] {
  let [text, reasoning] = ['', ''];
  const calls: object[] = [];
  const results: ChatMessage[] = [];
  for (const part of parts) {
    if (part.type === 'text') text += part.text;
    else if (part.type === 'reasoning') reasoning += part.text;
    else if (part.type === 'tool-call') {
      const call = { name: part.toolName, arguments: part.input };
      calls.push({ id: part.toolCallId, type: 'function', function: call });
    } else if (part.type === 'tool-result') {
      results.push(toolMessage(part.toolCallId, part.toolName, outputText(part.output)));
    } else if (part.type === 'file') text += fileText(part);
    else throw unsupported(`a part of type ${part.type}`);
  }
  const said: ChatMessage = {
    role: 'assistant',
    content: text,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
  };
  return [said, ...results];
}

const toolMessage = (id: string, name: string, content: string): ChatMessage => ({
  role: 'tool',
  tool_call_id: id,
  name,
  content,
});

/** What a tool answered, as text. */
function outputText(output: LanguageModelV4ToolResultOutput): string {
  switch (output.type) {
    case 'text':
    case 'error-text':
      return output.value;
    case 'json':
    case 'error-json':
      return JSON.stringify(output.value);
    case 'execution-denied':
      return output.reason ?? 'the call was denied';
    case 'content':
      return output.value.map((part) => {
        if (part.type === 'text') return part.text;
        throw unsupported(`a tool result of type ${part.type}`);
      }).join('');
  }
}

/** A file of text; base64 and bytes are UTF-8. */
function fileText({ data, mediaType }: LanguageModelV4FilePart): string {
  if (data.type === 'text') return data.text;
  if (data.type !== 'data' || !/^(text\/|application\/json\b)/.test(mediaType)) {
    throw unsupported(`a file of type ${mediaType}`);
  }
  const bytes = typeof data.data === 'string' ? Uint8Array.from(atob(data.data), (c) => c.charCodeAt(0)) : data.data;
  return new TextDecoder().decode(bytes);
}
