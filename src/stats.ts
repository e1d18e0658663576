// Tokens: an estimate that needs no vocabulary, and the ledger of what never entered a model's
// context. The figures are estimates and have to be shown as such; nothing here measures a model.

import type { ServerInfo, ToolDefinition } from "./server.ts";

/** What the estimate stands for. */
export const TOKENIZER = "o200k_base, estimated";

// Kinds of characters, as the tokenizer's first step splits them.
const LOWER = 0;
const UPPER = 1;
const DIGIT = 2;
const SPACE = 3;
const LINE_END = 4;
const MARK = 5;
const OTHER = 6;

// Fitted to o200k_base over JSON Schemas, TypeScript and English by bench/tokens_bench.ts.
const WORD = 0.72;
const WORD_AFTER_SPACE = 0.28;
const LONG_WORD_CHARS = 10;
const LONG_WORD_CHAR = 0.15;
const DIGITS = 1.23;
const DIGITS_AFTER_SPACE = 0.87;
const MARK_ALONE = 1;
const MARKS = 1.18;
const MARKS_CHAR = 0.22;
const LINE = 1.45;
const INDENT = 1.07;
// Beyond ASCII, a UTF-16 unit: letters of other alphabets, ideographs, symbols.
const LETTER_UNIT = 0.22;
const IDEOGRAPH_UNIT = 0.8;
const SYMBOL_UNIT = 1.2;

/**
 * About how many tokens `text` costs a model, as a whole number; 0 only for the empty text. Within
 * 5 % of o200k_base over a server's schemas, declarations or prose; further off for a short text.
 */
export function estimateTokens(text: string): number {
  let tokens = 0;
  let before = OTHER;
  let lengthBefore = 0;
  for (let at = 0; at < text.length;) {
    const start = at;
    const code = text.charCodeAt(at++);
    const kind = kindOf(code);
    if (kind !== OTHER) {
      while (at < text.length && kindOf(text.charCodeAt(at)) === kind) at++;
      // A capitalised word is one piece.
      if (kind === UPPER) {
        while (at < text.length && kindOf(text.charCodeAt(at)) === LOWER) at++;
      }
    }
    const length = at - start;
    const afterSpace = before === SPACE && lengthBefore === 1;
    switch (kind) {
      case LOWER:
      case UPPER:
        tokens += WORD + (afterSpace ? WORD_AFTER_SPACE : 0);
        if (length > LONG_WORD_CHARS) tokens += (length - LONG_WORD_CHARS) * LONG_WORD_CHAR;
        break;
      case DIGIT:
        tokens += Math.ceil(length / 3) * DIGITS + (afterSpace ? DIGITS_AFTER_SPACE : 0);
        break;
      case SPACE:
        // A single space belongs to the word behind it.
        if (length > 1) tokens += INDENT;
        break;
      case LINE_END:
        // Behind punctuation it belongs to that.
        if (before !== MARK) tokens += LINE;
        break;
      case MARK:
        tokens += length === 1 ? MARK_ALONE : MARKS + (length - 2) * MARKS_CHAR;
        break;
      default:
        tokens += otherTokens(code);
    }
    before = kind;
    lengthBefore = length;
  }
  return text === "" ? 0 : Math.max(1, Math.round(tokens));
}

const SAMPLE_CHARS = 256 * 1024;

/** `estimateTokens` at a bounded cost: of a long text, its first 256 Ki characters stand for all. */
export function countTokens(text: string): number {
  if (text.length <= SAMPLE_CHARS) return estimateTokens(text);
  return Math.round(estimateTokens(text.slice(0, SAMPLE_CHARS)) * text.length / SAMPLE_CHARS);
}

/**
 * About how many tokens a client that loads every tool of a server puts into a model's context in
 * each session: what `toolTokens` counts, of all tools.
 */
export function definitionTokens({ tools }: Pick<ServerInfo, "tools">): number {
  return tools.reduce((sum, tool) => sum + toolTokens(tool), 0);
}

/** About how many tokens a tool's definition is as a model gets it: name, description and input. */
export function toolTokens({ name, description, inputSchema }: ToolDefinition): number {
  return countTokens(JSON.stringify({ name, description, inputSchema }));
}

function kindOf(code: number): number {
  if (code > 0x7f) return OTHER;
  if (code >= 0x61 && code <= 0x7a) return LOWER;
  if (code >= 0x41 && code <= 0x5a) return UPPER;
  if (code >= 0x30 && code <= 0x39) return DIGIT;
  if (code === 0x20 || code === 0x09) return SPACE;
  return code === 0x0a || code === 0x0d ? LINE_END : MARK;
}

// Tokens of one UTF-16 unit beyond ASCII.
function otherTokens(code: number): number {
  if (code < 0x2000) return LETTER_UNIT;
  if (code >= 0x2e80 && code <= 0xd7ff) return IDEOGRAPH_UNIT;
  return SYMBOL_UNIT;
}

/** An amount of tokens: counted already, or as the texts that make it up. */
export type TokenAmount = number | string | readonly string[];

/** What passed between an agent and its servers in one task. */
export interface TokenParts {
  /** Definitions of every tool the servers offer. */
  readonly definitions: TokenAmount;
  /** The part of them, in whatever form, that the agent read before it wrote its program. */
  readonly read: TokenAmount;
  /** Arguments of all tool calls. */
  readonly calls: TokenAmount;
  /** Results of all tool calls. */
  readonly results: TokenAmount;
  /** The program that made the calls. */
  readonly program: TokenAmount;
  /** What the program handed back. */
  readonly answer: TokenAmount;
}

/** What one task costs in tokens in two ways; each text is counted once, however often it is read. */
export interface TokenLedger {
  /** Tool by tool: every definition, every call and every result pass through the model. */
  readonly direct: {
    readonly definitions: number;
    readonly calls: number;
    readonly results: number;
    readonly total: number;
  };
  /** By one program: what was read, the program and its answer pass through the model. */
  readonly program: {
    readonly read: number;
    readonly source: number;
    readonly answer: number;
    readonly total: number;
  };
  /** The share of the direct way that was not spent, from 0 to 1; 0 when nothing was saved. */
  readonly saved: number;
}

/** The ledger of one task, from counts or texts. */
export function tokenLedger(parts: TokenParts): TokenLedger {
  const definitions = amountOf(parts.definitions);
  const calls = amountOf(parts.calls);
  const results = amountOf(parts.results);
  const read = amountOf(parts.read);
  const source = amountOf(parts.program);
  const answer = amountOf(parts.answer);
  const direct = { definitions, calls, results, total: definitions + calls + results };
  const program = { read, source, answer, total: read + source + answer };
  const saved = direct.total === 0 ? 0 : Math.max(0, 1 - program.total / direct.total);
  return { direct, program, saved };
}

function amountOf(amount: TokenAmount): number {
  if (typeof amount === "number") return amount;
  if (typeof amount === "string") return estimateTokens(amount);
  return amount.reduce((sum, text) => sum + estimateTokens(text), 0);
}
