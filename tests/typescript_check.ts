// Checks generated types with TypeScript itself, in process: one program for many questions.

import ts from "typescript";
import type { TypeModel } from "../src/type_model.ts";
import { printType } from "../src/type_text.ts";

/** Compiler options that a strict user has. */
export const STRICT: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noEmit: true,
  target: ts.ScriptTarget.ESNext,
  lib: ["lib.es5.d.ts"],
  types: [],
  skipLibCheck: true,
};

/** The first message of each line of `source` that TypeScript complains about; lines from 0. */
export function diagnose(source: string, options = STRICT): Map<number, string> {
  const name = "/checked.ts";
  const host = ts.createCompilerHost(options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (file, ...rest) =>
    file === name ? ts.createSourceFile(file, source, ts.ScriptTarget.ESNext) : read(file, ...rest);
  const program = ts.createProgram([name], options, host);
  const file = program.getSourceFile(name)!;
  const messages = new Map<number, string>();
  for (
    const { start, messageText } of [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]
  ) {
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
    if (!messages.has(line)) messages.set(line, ts.flattenDiagnosticMessageText(messageText, "\n"));
  }
  return messages;
}

/** The root of `model` as text, and its definitions by printed name. */
export function printModel(model: TypeModel, options: Parameters<typeof printType>[1] = {}) {
  const { names = (definition: string) => definition } = options;
  const definitions = [...model.definitions].map(([definition, type]) =>
    [names(definition), printType(type, options)] as const
  );
  return { text: printType(model.root, options), definitions };
}

/** The declarations of `model` with its root as `name`. */
export function declare(name: string, model: TypeModel): string {
  const { text, definitions } = printModel(model);
  const types = [[name, text], ...definitions];
  return types.map(([name, text]) => `type ${name} = ${text};`).join("\n");
}

/** One question: is `value` of the type of `model`? */
export interface Question {
  readonly model: TypeModel;
  readonly value: unknown;
}

/** How one question was answered: what TypeScript says, if it refuses. */
export interface Answer {
  /** The value written out where the type is expected. */
  readonly fresh: string | undefined;
  /** A variable of exactly the value's type. */
  readonly asValue: string | undefined;
  /** The type itself, when it does not compile. */
  readonly type: string | undefined;
}

/** Asks TypeScript all `questions` at once. Each model's name prefix must be its own. */
export function ask(questions: readonly Question[], options = STRICT): Answer[] {
  const lines: string[] = [];
  const places = new Map<TypeModel, { name: string; from: number; to: number }>();
  const asked = questions.map(({ model, value }) => {
    let place = places.get(model);
    if (place === undefined) {
      const name = `Model${places.size}`;
      const from = lines.length;
      lines.push(...declare(name, model).split("\n"));
      places.set(model, place = { name, from, to: lines.length });
    }
    const line = lines.length;
    lines.push(`{ const it: ${place.name} = ${JSON.stringify(value)}; }`);
    lines.push(`((it: ${exactType(value)}): ${place.name} => it);`);
    return { place, line };
  });
  const messages = diagnose(lines.join("\n"), options);
  const broken = new Map<number, string>();
  for (const { from, to } of places.values()) {
    for (let line = from; line < to; line++) {
      const message = messages.get(line);
      if (message !== undefined) broken.set(from, `${lines[line]}: ${message}`);
    }
  }
  return asked.map(({ place, line }) => ({
    fresh: messages.get(line),
    asValue: messages.get(line + 1),
    type: broken.get(place.from),
  }));
}

function exactType(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(exactType).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) =>
    `${JSON.stringify(key)}: ${exactType(member)}`
  );
  return `{ ${members.join("; ")} }`;
}
