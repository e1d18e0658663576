// A type model as TypeScript text: documented over several lines, or one compact line. Every value
// from a schema goes through the escape of its position; nothing from a schema is text as it is.

import {
  docComment,
  docTagText,
  docText,
  propertyKey,
  stringLiteral,
  templateText,
} from "./escape.ts";
import { MAX_DOC_TAG_CHARS, MAX_MEMBER_DOC_CHARS } from "./limits.ts";
import type { JsonObject } from "./server.ts";
import {
  type IndexSignature,
  inPlace,
  type Member,
  type ObjectType,
  type TypeNode,
} from "./type_model.ts";

/** How `printType` writes. */
export interface PrintOptions {
  /** One line without docs; `[key: string]: unknown` beside members is left out. */
  readonly line?: boolean;
  /** Spaces in front of the line the text begins on. */
  readonly indent?: number;
  /** The printed name of a definition; its own name unless given. */
  readonly names?: (definition: string) => string;
}

const MAX_SHOWN_DEPTH = 8;
const LINE_WIDTH = 100;
// An object without docs that fits is written on one line.
const SHORT_WIDTH = 80;

// Keywords shown as doc tags, in this order, when their value is a string, number or boolean.
const TAGS: readonly string[] = [
  "format",
  "pattern",
  "minimum",
  "exclusiveMinimum",
  "maximum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
  "uniqueItems",
  "minProperties",
  "maxProperties",
];

/** `type` as a TypeScript type expression. */
export function printType(type: TypeNode, options: PrintOptions = {}): string {
  return new Printer(options).type(type, options.indent ?? 0);
}

class Printer {
  readonly #line: boolean;
  readonly #names: (definition: string) => string;

  constructor(options: PrintOptions) {
    this.#line = options.line ?? false;
    this.#names = options.names ?? ((definition) => definition);
  }

  type(node: TypeNode, indent: number): string {
    switch (node.kind) {
      case "literal":
        return typeof node.value === "string" ? stringLiteral(node.value) : String(node.value);
      case "array":
        return `${this.#operand(node.items, indent)}[]`;
      case "tuple": {
        const parts = node.items.map((item, at) =>
          at < node.required ? this.type(item, indent) : `${this.#operand(item, indent)}?`
        );
        if (node.rest.kind !== "never") parts.push(`...${this.#operand(node.rest, indent)}[]`);
        return `[${parts.join(", ")}]`;
      }
      case "object":
        return this.#line ? this.#objectLine(node) : this.#object(node, indent);
      case "union":
        return this.#union(node.types, indent);
      case "reference":
        return node.to.name === undefined
          ? this.type(node.to.type, indent)
          : this.#names(node.to.name);
      default:
        return node.kind;
    }
  }

  // A type in front of `[]` or `?`.
  #operand(node: TypeNode, indent: number): string {
    const text = this.type(node, indent);
    return inPlace(node).kind === "union" ? `(${text})` : text;
  }

  #union(types: readonly TypeNode[], indent: number): string {
    const parts = [...new Set(types.map((type) => this.type(type, indent)))];
    const text = parts.join(" | ");
    if (this.#line || text.length + indent <= LINE_WIDTH || text.includes("\n")) return text;
    const pad = `\n${" ".repeat(indent + 2)}|`;
    let lines = "";
    let width = Infinity;
    for (const part of parts) {
      width += part.length + 3;
      const starts = width + indent > LINE_WIDTH;
      lines += starts ? `${pad} ${part}` : ` | ${part}`;
      if (starts) width = part.length + 4;
    }
    return lines;
  }

  #objectLine(node: ObjectType): string {
    const parts = node.members.map((member) => this.#member(member, 0));
    for (const signature of node.index) {
      if (signature.type.kind !== "unknown" || parts.length === 0) {
        parts.push(this.#signature(signature, 0));
      }
    }
    return `{ ${parts.join("; ")} }`;
  }

  #object(node: ObjectType, indent: number): string {
    const inner = indent + 2;
    const pad = " ".repeat(inner);
    const parts = node.members.map((member) => this.#member(member, inner));
    for (const signature of node.index) parts.push(this.#signature(signature, inner));
    const docs = node.members.map(({ docs }) =>
      docs === undefined ? "" : docComment(describeSchema(docs), pad)
    );
    if (docs.every((doc) => doc === "")) {
      const line = `{ ${parts.join("; ")} }`;
      if (line.length + indent <= SHORT_WIDTH && !line.includes("\n")) return line;
    }
    let text = "{\n";
    for (const [at, part] of parts.entries()) text += `${docs[at] ?? ""}${pad}${part};\n`;
    return `${text}${" ".repeat(indent)}}`;
  }

  #signature({ prefix, type }: IndexSignature, indent: number): string {
    return `[key: ${keyType(prefix)}]: ${this.type(type, indent)}`;
  }

  #member(member: Member, indent: number): string {
    const key = propertyKey(member.key);
    const type = this.type(member.type, indent);
    return `${key}${member.optional ? "?" : ""}:${type.startsWith("\n") ? "" : " "}${type}`;
  }
}

// What a doc comment says of `schema`: its description, then deprecation, default, format and bounds
// as tags.
function describeSchema(schema: JsonObject): string[] {
  const description = schema["description"];
  const lines = typeof description === "string" ? docText(description, MAX_MEMBER_DOC_CHARS) : [];
  if (schema["deprecated"] === true) lines.push("@deprecated");
  if (schema["default"] !== undefined) {
    lines.push(`@default ${docTagText(shortJson(schema["default"]), MAX_DOC_TAG_CHARS)}`);
  }
  for (const tag of TAGS) {
    const value = schema[tag];
    if (value === undefined || value === null || typeof value === "object") continue;
    lines.push(`@${tag} ${docTagText(String(value), MAX_DOC_TAG_CHARS)}`);
  }
  return lines;
}

function keyType(prefix: string | undefined): string {
  return prefix === undefined ? "string" : `\`${templateText(prefix)}\${string}\``;
}

const SHORT_JSON = new WeakMap<object, string>();

// A value as JSON with sorted keys, as far as it can be shown: a value may be huge, nested deeper
// than the stack, or stand in a thousand places.
function shortJson(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(shown(value, 0)) ?? "";
  let text = SHORT_JSON.get(value);
  if (text === undefined) {
    text = JSON.stringify(shown(value, 0));
    SHORT_JSON.set(value, text);
  }
  return text;
}

function shown(value: unknown, depth: number): unknown {
  if (typeof value === "string") return value.slice(0, MAX_DOC_TAG_CHARS * 4);
  if (typeof value !== "object" || value === null) return value;
  if (depth > MAX_SHOWN_DEPTH) return "...";
  if (Array.isArray(value)) {
    return value.slice(0, MAX_DOC_TAG_CHARS).map((item) => shown(item, depth + 1));
  }
  const keys = Object.keys(value).sort().slice(0, MAX_DOC_TAG_CHARS);
  return Object.fromEntries(keys.map((key) => [key, shown((value as JsonObject)[key], depth + 1)]));
}
