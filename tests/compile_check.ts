// Checks generated packages with TypeScript itself, in process and without a disk.

import ts from "typescript";

/** Compiler options that a strict user has. */
export const STRICT: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  verbatimModuleSyntax: true,
  isolatedModules: true,
  erasableSyntaxOnly: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  types: [],
  lib: ["lib.es2022.d.ts"],
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
};
const parsed = new Map<string, ts.SourceFile>();

/** What the compiler says about the TypeScript among `files`, which stand in memory. */
export function problemsOf(files: ReadonlyMap<string, string>, options = STRICT): string[] {
  const real = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...real,
    getCurrentDirectory: () => "/",
    fileExists: (path) => files.has(path),
    readFile: (path) => files.get(path),
    directoryExists: () => true,
    getDirectories: () => [],
    realpath: (path) => path,
    getSourceFile(path, language) {
      const text = files.get(path);
      if (text !== undefined) return ts.createSourceFile(path, text, language);
      const known = parsed.get(path) ?? real.getSourceFile(path, language);
      if (known !== undefined) parsed.set(path, known);
      return known;
    },
  };
  const roots = [...files.keys()].filter((path) => path.endsWith(".ts"));
  return ts.getPreEmitDiagnostics(ts.createProgram(roots, options, host)).map((problem) =>
    `${problem.file?.fileName}: ${ts.flattenDiagnosticMessageText(problem.messageText, " ")}`
  );
}

/** `files` below the folder `folder`. */
export function inFolder(folder: string, files: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...files].map(([path, text]) => [`${folder}/${path}`, text]));
}
