/**
 * What is printed for users to copy: code blocks of the documentation, and command lines.
 * @module
 */

/** A block of code in a page. */
export interface CodeBlock {
  readonly page: string;
  /** As the page says after the fence; '' where it says nothing. */
  readonly language: string;
  readonly code: string;
  /** Of the fence, from 1 on. */
  readonly line: number;
}

/** The code blocks of a page in Markdown. */
export function codeBlocks(page: string, markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(({ 1: language, 2: code, index }) => ({
    page,
    language,
    code,
    line: markdown.slice(0, index).split('\n').length,
  }));
}

/** The words of a command line as a shell reads them, without what is redirected and without `npx`. */
export function commandLine(text: string): string[] {
  const words = [...text.replace(/ [<>]+ ?\S+/g, '').matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word]) =>
    quoted ?? word
  );
  return words[0] === 'npx' ? words.slice(1) : words;
}

/** Command lines of a block: those that a backslash joins are one; comments are left out. */
export function commandLines(code: string): string[] {
  return code.replace(/\\\n\s*/g, '').split('\n').map((line) => line.replace(/^#.*|\s+#.*$/, '').trim()).filter(
    Boolean,
  );
}
