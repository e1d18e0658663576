// Bounds how deeply a TypeScript source nests before a parser sees it. The native stripper recurses
// without a limit: a few thousand brackets abort the whole process, and two dozen ambiguous heads
// inside one another keep it busy for hours. Where this pass is unsure, it must overrate.

import { AppError } from "./errors.ts";
import { MAX_SOURCE_AMBIGUITY, MAX_SOURCE_NESTING } from "./limits.ts";
import { Lexer } from "./source_lexer.ts";
import { quoteText } from "./text.ts";

// An open bracket and what has been joined to one chain directly inside of it. A weight of 1
// stands for 0.5 KiB of the parser's stack at worst: an operator weighs 1, a bracket 8.
interface Level {
  readonly open: "" | "(" | "[" | "{" | "`";
  // Whether the closing `)` ends no operand, as in `if (...)`.
  readonly isControl: boolean;
  // Constructs a parser tries in two ways: the work doubles with each inside another.
  readonly opened: number;
  ambiguity: number;
  // Weights of heads of statements, of the running expression, of `else`, and before each `<`.
  statement: number;
  expression: number;
  elses: number;
  angles: number[];
  // Whether a `<` began a cast or the type parameters of an arrow function.
  castAngle: boolean;
  questions: number;
  classHeads: number;
}

const HEAVY = 8;
const CONTROL_WORDS = words("if for while switch with catch");
const STATEMENT_WORDS = words("if for while with do");
const HEAVY_WORDS = words("class function extends");
const LIGHT_WORDS = words(
  "typeof void delete new await yield in instanceof as satisfies keyof readonly unique infer is " +
    "asserts",
);
// Behind these a `/` begins a regular expression; behind the doubtful ones it may also divide.
const REGEX_WORDS = words("typeof void delete new in instanceof case do else throw return");
const DOUBTFUL = words("await yield of extends default } >");
// Words that continue what stands before them, so that no statement begins there.
const JOINING_WORDS = words("as satisfies in instanceof extends is else of from implements");
// Words behind which a line can end without ending a statement.
const OPEN_WORDS = words(
  "await yield typeof void delete new keyof readonly unique infer is asserts extends implements " +
    "else do in out of instanceof as satisfies return throw case default import export class " +
    "function async declare abstract type namespace module enum interface static get set public " +
    "private protected override accessor if for while with switch try finally catch const let " +
    "var using",
);
const ALL_HEAVY = /[([{<]|=>|\b(?:if|for|while|with|do|class|function|extends)\b/g;
const ALL_LIGHT = new RegExp(
  `[^\\w\\s"'\`([{<)\\]};,]|\\b(?:else|${[...LIGHT_WORDS].join("|")})\\b`,
  "g",
);
const ALL_AMBIGUOUS = /<|=>|\bclass\b/g;
const VOID_PANICS = new Set([".", "?", "!", "`"]);
const VOID_GAP = /\bvoid(?:\s|\/[/*])/;
const MARKERS = /^(?:<{7}|={7}|>{7}|\|{7})/m;

/** What is known of a source before a parser sees it. */
export interface NestingReport {
  /**
   * Whether the parser's `transform` mode can be trusted with the source: its report of one error,
   * the type `void`, a space and a token such as `.`, ends the process (Deno 2.9).
   */
  readonly transformable: boolean;
  /** A string, template, comment or regular expression that does not end, and where it begins. */
  readonly unterminated?: { readonly what: string; readonly at: number };
}

/** Throws a `limit` error named `nesting` for a source that a parser could not take safely. */
export function checkNesting(text: string, path: string): NestingReport {
  return new Meter(text, path).run();
}

class Meter {
  readonly #lexer: Lexer;
  readonly #path: string;
  readonly #levels: Level[] = [];
  #level = newLevel("", { isControl: false, opened: 0 });
  #depth = 0;
  #ambiguity = 0;
  // Whether the token before ended an operand, that token, and the one before it.
  #operand = false;
  #last = "";
  #before = "";
  // Where a token may have been misread.
  #doubt: number | undefined;
  #unterminated: NestingReport["unterminated"];

  constructor(text: string, path: string) {
    this.#lexer = new Lexer(text);
    this.#path = path;
  }

  run(): NestingReport {
    const lexer = this.#lexer;
    let transformable = true;
    let end = 0;
    while (lexer.next(!this.#operand)) {
      const value = lexer.kind === "word" || lexer.kind === "punctuation" ? lexer.value : "literal";
      if (this.#last === "void" && lexer.start > end && lexer.kind !== "word") {
        transformable &&= !VOID_PANICS.has(lexer.text[lexer.start]!);
      }
      end = lexer.end;
      if (this.#beginsStatement(value)) this.#reset();
      if (lexer.kind === "word") this.#word(value);
      else if (lexer.kind === "punctuation") this.#punctuation(value);
      else this.#literal();
      this.#before = this.#last;
      this.#last = value;
      if (this.#unterminated) return { transformable: false, unterminated: this.#unterminated };
      if (this.#depth > MAX_SOURCE_NESTING || this.#ambiguity > MAX_SOURCE_AMBIGUITY) {
        this.#refuse("nests too deeply", lexer.start);
      }
    }
    if (MARKERS.test(lexer.text)) this.#doubt ??= 0;
    if (this.#doubt === undefined) return { transformable };
    this.#checkWhole(this.#doubt);
    return { transformable: !VOID_GAP.test(lexer.text) };
  }

  // Behind a misread token brackets may have been hidden: count as if every one stayed open.
  #checkWhole(at: number): void {
    const { text } = this.#lexer;
    const weight = HEAVY * count(text, ALL_HEAVY) + count(text, ALL_LIGHT);
    const ambiguity = count(text, ALL_AMBIGUOUS);
    if (weight > 2 * MAX_SOURCE_NESTING || ambiguity > MAX_SOURCE_AMBIGUITY) {
      this.#refuse("can be read in two ways and is too large for that", at);
    }
  }

  #refuse(what: string, at: number): never {
    const lines = this.#lexer.text.slice(0, at).split("\n");
    throw new AppError("limit", `Source ${quoteText(this.#path)} ${what}`, {
      at: { file: this.#path, line: lines.length, column: [...lines.at(-1)!].length + 1 },
      limit: { name: "nesting", limit: MAX_SOURCE_NESTING },
      hint: what.startsWith("nests")
        ? "Split the expression or the function into several"
        : 'Put parentheses or a semicolon before the "/", and end every string and comment',
    });
  }

  // A statement begins behind `}`, and on a new line behind what can end one.
  #beginsStatement(value: string): boolean {
    const { kind, lineBreak } = this.#lexer;
    const { open } = this.#level;
    if ((open !== "{" && open !== "") || kind === "punctuation" || kind === "template") {
      return false;
    }
    if (JOINING_WORDS.has(value)) return false;
    return this.#last === "}" || (lineBreak && this.#operand && !OPEN_WORDS.has(this.#last));
  }

  // What was joined to the chain lies side by side with what follows.
  #reset(): void {
    const level = this.#level;
    this.#depth -= level.statement;
    level.statement = level.classHeads = 0;
    while (level.angles.length > 0) this.#closeAngle();
    this.#endExpression();
  }

  #endExpression(): void {
    const level = this.#level;
    this.#depth -= level.expression;
    this.#ambiguity -= level.ambiguity;
    level.expression = level.ambiguity = level.questions = 0;
    level.castAngle = false;
  }

  #add(part: "statement" | "expression" | "elses", weight: number): void {
    this.#level[part] += weight;
    this.#depth += weight;
  }

  #addAmbiguity(): void {
    this.#level.ambiguity++;
    this.#ambiguity++;
  }

  #word(word: string): void {
    const isName = this.#last === "." || this.#last === "?.";
    this.#operand = isName || !(REGEX_WORDS.has(word) || DOUBTFUL.has(word));
    if (isName) return;
    if (STATEMENT_WORDS.has(word)) this.#add("statement", HEAVY);
    else if (word === "else") this.#add("elses", 1);
    else if (HEAVY_WORDS.has(word)) this.#add("expression", HEAVY);
    else if (LIGHT_WORDS.has(word)) this.#add("expression", 1);
    if (word === "class" && this.#level.classHeads++ > 0) this.#addAmbiguity();
  }

  #literal(): void {
    const { kind, text, start, end } = this.#lexer;
    this.#operand = true;
    if (kind === "broken") {
      const first = text[start];
      this.#endless(
        first === "/" ? "comment" : first === '"' || first === "'" ? "string" : "template",
      );
    } else if (kind === "regex" && DOUBTFUL.has(this.#last)) this.#doubt ??= start;
    if (kind !== "template") return;
    this.#add("expression", 1);
    if (text[end - 1] === "{") this.#push("`");
  }

  // Without any doubt before it, what does not end is an error whatever a parser would say.
  #endless(what: string): void {
    const at = this.#lexer.start;
    if (this.#doubt === undefined) this.#unterminated = { what, at };
  }

  #punctuation(char: string): void {
    const { text, start, lineBreak, brokenRegex } = this.#lexer;
    const level = this.#level;
    const wasOperand = this.#operand;
    this.#operand = false;
    switch (char) {
      case "(":
      case "[":
      case "{":
        return this.#push(char);
      case "}":
        if (level.open === "`") {
          this.#pop();
          this.#lexer.template();
          return this.#literal();
        }
        return this.#pop();
      case ")":
      case "]":
        this.#pop();
        this.#operand = !level.isControl;
        return;
      case ";":
        return this.#reset();
      case ",":
        return this.#endExpression();
      case "<":
        // Nothing behind it ends what stands before it, not even a comma.
        level.angles.push(level.expression);
        level.expression = 0;
        this.#depth += HEAVY;
        if (!wasOperand || OPEN_WORDS.has(this.#last)) level.castAngle = true;
        if (text.startsWith("<!--", start)) this.#doubt ??= start;
        return;
      case ">":
        this.#closeAngle();
        break;
      case "=>":
        this.#add("expression", HEAVY);
        if (level.questions > 0) this.#addAmbiguity();
        return;
      case "?":
        level.questions++;
        break;
      case ":":
        // A key of an object: what looked like `<` of types before it were comparisons.
        if (level.open === "{" && this.#before === ",") this.#reset();
        // A label behind a label.
        if (this.#before === ":" && /^[\w$\\]/.test(this.#last)) this.#add("statement", HEAVY);
        break;
      case "!":
        this.#operand = wasOperand && !lineBreak;
        break;
      case "++":
      case "--":
        this.#operand = wasOperand && !lineBreak;
        if (text.startsWith("-->", start)) this.#doubt ??= start;
        break;
      case "/":
        if (lineBreak || (!wasOperand && DOUBTFUL.has(this.#last))) this.#doubt ??= start;
        else if (!wasOperand && brokenRegex) this.#endless("regular expression");
        break;
    }
    this.#add("expression", 1);
  }

  // It may have been a comparison, so only the bracket is taken back; casts nest like brackets.
  #closeAngle(): void {
    const level = this.#level;
    const joined = level.angles.pop();
    if (joined === undefined) return;
    level.expression += joined + (level.castAngle ? HEAVY : 0);
    if (!level.castAngle) this.#depth -= HEAVY;
  }

  #push(open: Level["open"]): void {
    const level = this.#level;
    let opened = level.classHeads > 0 ? 1 : 0;
    if (open === "(" && level.angles.length > 0) opened += 2;
    if (level.castAngle) opened += 2;
    if (open === "{" && level.classHeads > 0) level.classHeads--;
    const isAwait = this.#last === "await" && this.#before === "for";
    const isControl = open === "(" && this.#before !== "." && this.#before !== "?." &&
      (isAwait || CONTROL_WORDS.has(this.#last));
    this.#levels.push(level);
    this.#level = newLevel(open, { isControl, opened });
    this.#depth += HEAVY;
    this.#ambiguity += opened;
    this.#operand = false;
  }

  #pop(): void {
    const parent = this.#levels.pop();
    if (parent === undefined) return;
    this.#reset();
    this.#depth -= HEAVY + this.#level.elses;
    this.#ambiguity -= this.#level.opened;
    this.#level = parent;
    // Calls and subscripts in a row nest too, one behind the other.
    this.#add("expression", 1);
  }
}

function newLevel(open: Level["open"], parts: Pick<Level, "isControl" | "opened">): Level {
  return {
    ...parts,
    open,
    ambiguity: 0,
    statement: 0,
    expression: 0,
    elses: 0,
    angles: [],
    castAngle: false,
    questions: 0,
    classHeads: 0,
  };
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}

function count(text: string, pattern: RegExp): number {
  let found = 0;
  for (const _ of text.matchAll(pattern)) found++;
  return found;
}
