/** Declarations: every type that a public signature mentions can be imported, from the entry that has the signature or from the
 *  main entry. */
import { readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import process from 'node:process';
import ts from 'typescript';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkout } from './checkout.ts';

/** Types of the package that are mentioned by what each file exports, and not exported by it nor by `main`: where. */
function missing(files: readonly string[], main: string, within: string): Map<string, string[]> {
  const program = ts.createProgram([...files], {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.dom.d.ts'],
    types: [],
  });
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol): ts.Symbol =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exportsOf = (file: string): ts.Symbol[] =>
    checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!).map(resolved);
  const common = exportsOf(main);
  return new Map(files.map((file) => [file, unexported(exportsOf(file), common)]));

  function unexported(own: readonly ts.Symbol[], common: readonly ts.Symbol[]): string[] {
    const exported = new Set([...own, ...common]);
    const found = new Set<string>();
    const look = (node: ts.Node): void => {
      const name = ts.isTypeReferenceNode(node)
        ? node.typeName
        : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : ts.isImportTypeNode(node)
        ? node.qualifier
        : undefined;
      const symbol = name && checker.getSymbolAtLocation(name);
      if (symbol) {
        const target = resolved(symbol);
        const declared = target.declarations?.[0];
        const ours = declared?.getSourceFile().fileName.startsWith(within) && !ts.isTypeParameterDeclaration(declared);
        if (ours && !exported.has(target)) {
          const { fileName } = node.getSourceFile();
          found.add(`${target.name}, mentioned in ${fileName.slice(within.length)}`);
        }
      }
      ts.forEachChild(node, look);
    };
    for (const symbol of own) {
      for (const declaration of symbol.declarations ?? []) {
        if (declaration.getSourceFile().fileName.startsWith(within)) look(declaration);
      }
    }
    return [...found];
  }
}

const types = suite('types');
const folder = join(checkout(), 'dist', 'types').split(sep).join('/');

// the compiler is no test of other runtimes
if (process.versions.bun === undefined && !('Deno' in globalThis)) {
  types('every entry exports the types that its signatures mention, or the main one does', () => {
    const files = readdirSync(join(folder, 'entries'))
      .filter((name) => name.endsWith('.d.ts') && !name.includes('generated'))
      .map((name) => `${folder}/entries/${name}`);
    assert.ok(files.length > 6);
    const found = missing(files, `${folder}/entries/index.d.ts`, `${folder}/`);
    assert.equal([...found].filter(([, types]) => types.length > 0), []);
  });
} else {
  types('declarations are there', () => assert.ok(readdirSync(join(folder, 'entries')).length > 5));
}

types.run();
