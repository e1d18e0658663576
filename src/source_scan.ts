// What a JavaScript source imports and which form it has, found in one linear pass over its tokens.
// It never judges whether the source is valid: the stripper and the engine do.

import { Lexer } from "./source_lexer.ts";

/** An import declaration of the top level: its place in the text and its tokens on one line. */
export interface ImportDeclaration {
  readonly start: number;
  readonly end: number;
  readonly line: string;
}

/** A part of a text; `end` is behind its last character. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** What a source imports and which form it has. */
export interface SourceScan {
  /**
   * Specifiers of static imports, re-exports and `import("literal")`, in order and each once;
   * those written with escapes are left out.
   */
  readonly imports: readonly string[];
  /** For each of them the names that are taken from it; undefined where that may be all of them. */
  readonly names: ReadonlyMap<string, readonly string[] | undefined>;
  readonly declarations: readonly ImportDeclaration[];
  /** Places that import: each of the above, however often, and those whose specifier is unclear. */
  readonly importCount: number;
  /** Whether a specifier is computed or written with escapes. */
  readonly computes: boolean;
  /** Whether there is a `/` that divides or begins a regular expression. */
  readonly slashes: boolean;
  /** Whether the top level exports anything. */
  readonly exports: boolean;
  /** Whether a `return` stands outside of every function. */
  readonly returns: boolean;
  /** Loops outside of every function, in order; a loop of one statement ends where its block does. */
  readonly loops: readonly Span[];
  /** Bodies of functions that stand in no other function. */
  readonly functions: readonly Span[];
}

interface Level {
  readonly kind: "block" | "function" | "class" | "object" | "group" | "template";
  readonly inFunction: boolean;
  /** Whether what closes here can be an operand; not so for a block or the `)` of `if (...)`. */
  readonly operand: boolean;
  /** For a group: whether a `{` behind it begins the body of a function, and of which sort. */
  readonly head: FunctionHead;
  /** Heads of classes whose body is still to come: whether each is an expression. */
  classes: boolean[];
  functionHead: FunctionHead;
  ternaries: number;
  readonly start: number;
  /** Loops of the top level that began here and whose end is still to come. */
  readonly loops: { readonly start: number; body: boolean }[];
}

type FunctionHead = "none" | "declaration" | "expression";

const LOOP_WORDS = new Set(["for", "while", "do"]);
const CONTROL_WORDS = new Set(["if", "for", "while", "switch", "with", "catch"]);
// Behind these an operand follows, so that a `/` begins a regular expression and `{` an object.
const OPERAND_FOLLOWS = new Set(
  ("typeof void delete new in instanceof of case do else throw return await yield extends default " +
    "import export").split(" "),
);
// Behind these a statement begins, as it does behind the `)` of `if (...)`.
const STATEMENT_FOLLOWS = new Set(["", ";", "{", "}", ")", ":", "else", "do", "try", "finally"]);
const IMPORT_END = /(?:\s*with\s*(\{[^{}]*\}))?(?:[^\S\n\r]*;)?/y;

/** Reads the imports and the form of `js`, which must be free of types; never throws. */
export function scanSource(js: string): SourceScan {
  return new Scanner(js).run();
}

class Scanner {
  readonly #lexer: Lexer;
  readonly #levels: Level[] = [];
  #level: Level = newLevel("block", {});
  // Whether the token before ended an operand, that token, and the one before it.
  #operand = false;
  #last = "";
  #before = "";
  // The group that was closed last, for the `{` behind it.
  #closed: Level | undefined;
  // An import or export declaration whose specifier is still to come.
  #clause: { readonly start: number; readonly words: string[] } | undefined;
  readonly #imports = new Map<string, string[] | undefined>();
  // Whether a module is imported by a name that is computed.
  #computes = false;
  #importCount = 0;
  #slashes = false;
  readonly #declarations: ImportDeclaration[] = [];
  #exports = false;
  #returns = false;
  readonly #loops: Span[] = [];
  readonly #functions: Span[] = [];

  constructor(js: string) {
    this.#lexer = new Lexer(js);
  }

  run(): SourceScan {
    const lexer = this.#lexer;
    while (lexer.next(!this.#operand)) {
      const { kind } = lexer;
      let value = kind === "template" ? "`" : lexer.value;
      if (kind !== "string" && this.#isDynamicImport()) this.#addComputed();
      this.#slashes ||= kind === "regex" || value === "/";
      this.#followClause(value);
      if (kind === "word") this.#word(value);
      else if (kind === "template") this.#template();
      else if (kind === "punctuation") value = this.#punctuation(value);
      else {
        if (kind === "string") this.#string(value);
        this.#operand = true;
      }
      this.#before = this.#last;
      this.#last = value;
    }
    for (const level of [this.#level, ...this.#levels]) this.#endLoops(level);
    return {
      imports: [...this.#imports.keys()],
      names: this.#computes ? new Map() : this.#imports,
      declarations: this.#declarations,
      importCount: this.#importCount,
      computes: this.#computes,
      slashes: this.#slashes,
      exports: this.#exports,
      returns: this.#returns,
      loops: this.#loops.sort((a, b) => a.start - b.start),
      functions: this.#functions,
    };
  }

  #word(word: string): void {
    const level = this.#level;
    this.#operand = true;
    if (this.#last === "." || this.#last === "?." || this.#isKey()) return;
    const isTop = this.#levels.length === 0;
    if (LOOP_WORDS.has(word) && level.kind === "block" && !level.inFunction) {
      level.loops.push({ start: this.#lexer.start, body: word === "do" });
    }
    if (word === "return" && level.kind === "block") this.#returns ||= !level.inFunction;
    else if (word === "function") level.functionHead = this.#headKind();
    else if (word === "class") level.classes.push(this.#headKind() === "expression");
    else if (isTop && word === "export") this.#exports = true;
    if (isTop && (word === "import" || word === "export")) {
      this.#clause = { start: this.#lexer.start, words: [word] };
    }
    this.#operand = !OPERAND_FOLLOWS.has(word);
  }

  // A name of a member, which may be any keyword.
  #isKey(): boolean {
    const { kind } = this.#level;
    if (kind === "object") return this.#last === "{" || this.#last === ",";
    return kind === "class" &&
      (this.#last === "{" || this.#last === ";" || this.#last === "}" || this.#lexer.lineBreak);
  }

  #headKind(): FunctionHead {
    const last = this.#last === "async" ? this.#before : this.#last;
    return last === "default" || last === "export" || this.#atStatement(last)
      ? "declaration"
      : "expression";
  }

  #atStatement(last: string): boolean {
    const { kind } = this.#level;
    return (kind === "block" || kind === "function") &&
      (STATEMENT_FOLLOWS.has(last) || this.#operand);
  }

  // An export without a specifier ends its clause at the first token that cannot belong to it.
  #followClause(value: string): void {
    const clause = this.#clause;
    if (clause === undefined) return;
    clause.words.push(value);
    if (this.#levels.length > 0) return;
    const isFirst = clause.words.length === 2;
    if (clause.words[0] === "import") {
      if (isFirst && (value === "(" || value === ".")) this.#clause = undefined;
    } else if (isFirst ? value !== "*" && value !== "{" : this.#last === "}" && value !== "from") {
      this.#clause = undefined;
    }
  }

  #string(literal: string): void {
    const clause = this.#clause;
    const isImport = clause?.words[0] === "import";
    if (clause !== undefined && this.#levels.length === 0 && (isImport || this.#last === "from")) {
      this.#addImport(literal, isImport ? namesOf(clause.words) : undefined);
      this.#clause = undefined;
      if (isImport) this.#endImport(clause.start, clause.words.join(" "));
    } else if (this.#isDynamicImport()) {
      // A literal is the whole argument only when `)` or options follow it.
      if (/^\s*[,)]/.test(this.#lexer.text.slice(this.#lexer.end, this.#lexer.end + 200))) {
        this.#addImport(literal);
      } else this.#addComputed();
    }
  }

  #addComputed(): void {
    this.#importCount++;
    this.#computes = true;
  }

  #isDynamicImport(): boolean {
    return this.#last === "(" && this.#before === "import";
  }

  #addImport(literal: string, names?: readonly string[]): void {
    if (literal.includes("\\")) return this.#addComputed();
    this.#importCount++;
    const specifier = literal.slice(1, -1);
    const known = this.#imports.has(specifier) ? this.#imports.get(specifier) : [];
    this.#imports.set(specifier, names && known && [...known, ...names]);
  }

  #endImport(start: number, line: string): void {
    IMPORT_END.lastIndex = this.#lexer.end;
    const attributes = IMPORT_END.exec(this.#lexer.text)?.[1];
    const end = IMPORT_END.lastIndex;
    this.#declarations.push({
      start,
      end,
      line: `${line}${attributes === undefined ? "" : ` with ${attributes.replace(/\s+/g, " ")}`};`,
    });
  }

  #punctuation(char: string): string {
    const level = this.#level;
    switch (char) {
      case "(":
        this.#push("group", { operand: !this.#isControl(), head: this.#groupHead() });
        level.functionHead = "none";
        break;
      case "[":
        this.#push("group", { operand: true });
        break;
      case "{":
        this.#brace();
        break;
      case "}":
        if (level.kind === "template") {
          this.#lexer.template();
          this.#pop();
          this.#template();
          return "`";
        }
        this.#pop();
        break;
      case ")":
      case "]":
        this.#pop();
        break;
      case "?":
        level.ternaries++;
        this.#operand = false;
        break;
      case ":":
        this.#operand = false;
        if (level.ternaries === 0) break;
        level.ternaries--;
        return "?:";
      case "++":
      case "--":
        this.#operand &&= !this.#lexer.lineBreak;
        break;
      default:
        if (char === ";") {
          level.ternaries = 0;
          if (level.loops.at(-1)?.body) this.#endLoops(level);
        }
        this.#operand = false;
    }
    return char;
  }

  #isControl(): boolean {
    const word = this.#last === "await" ? this.#before : this.#last;
    const { kind } = this.#level;
    return CONTROL_WORDS.has(word) && kind !== "object" && kind !== "class" && this.#before !== ".";
  }

  // A `(` that stands directly in a class or an object begins the parameters of a method.
  #groupHead(): FunctionHead {
    const { kind, functionHead } = this.#level;
    return kind === "object" || kind === "class" ? "expression" : functionHead;
  }

  #brace(): void {
    const level = this.#level;
    const head = this.#last === ")" ? this.#closed?.head ?? "none" : "none";
    if (this.#last === "=>") this.#push("function", { operand: true });
    else if (head !== "none") this.#push("function", { operand: head === "expression" });
    else if (level.classes.length > 0 && this.#operand) {
      this.#push("class", { operand: level.classes.pop()! });
    } else if (level.kind === "class") this.#push("function", {});
    else if (this.#atStatement(this.#last)) this.#push("block", {});
    else this.#push("object", { operand: true });
  }

  #template(): void {
    this.#operand = true;
    const { text, end } = this.#lexer;
    if (text[end - 1] === "{") this.#push("template", { operand: true });
  }

  #push(kind: Level["kind"], parts: { operand?: boolean; head?: FunctionHead }): void {
    this.#levels.push(this.#level);
    const { inFunction } = this.#level;
    this.#level = newLevel(kind, { ...parts, inFunction, start: this.#lexer.start });
    this.#operand = false;
  }

  #pop(): void {
    const closed = this.#closed = this.#level;
    this.#operand = closed.operand;
    const level = this.#level = this.#levels.pop() ?? closed;
    this.#endLoops(closed);
    if (closed.kind === "function" && !level.inFunction) {
      this.#functions.push({ start: closed.start, end: this.#lexer.end });
    }
    // The head of a loop, or the whole of it.
    const loop = level.loops.at(-1);
    if (closed.kind === "group" && loop !== undefined) loop.body = true;
    else if (closed.kind === "block" && loop?.body) this.#endLoops(level);
  }

  #endLoops(level: Level): void {
    for (const { start } of level.loops.splice(0)) {
      this.#loops.push({ start, end: this.#lexer.end });
    }
  }
}

// The names between the braces of `import { a, b as c } from "..."`, when there is nothing else.
function namesOf(words: readonly string[]): string[] | undefined {
  if (words.length === 2) return [];
  const clause = /^import \{ (.*?),? ?\} from $/.exec(`${words.slice(0, -1).join(" ")} `)?.[1];
  if (clause === undefined) return undefined;
  const names = clause.split(",").map((part) => part.trim().split(" ")[0]!);
  return names.every((name) => /^[\w$]+$/.test(name)) ? names : undefined;
}

function newLevel(
  kind: Level["kind"],
  parts: { operand?: boolean; head?: FunctionHead; inFunction?: boolean; start?: number },
): Level {
  return {
    kind,
    inFunction: kind === "function" || parts.inFunction === true,
    operand: parts.operand === true,
    head: parts.head ?? "none",
    classes: [],
    functionHead: "none",
    ternaries: 0,
    start: parts.start ?? 0,
    loops: [],
  };
}
