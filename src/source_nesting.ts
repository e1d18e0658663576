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
  readonly parent: Level | undefined;
  // The weight and the ambiguity of all levels around this one.
  readonly depthBelow: number;
  readonly ambiguityBelow: number;
  // Whether the closing `)` ends no operand, as in `if (...)`.
  readonly isControl: boolean;
  // Constructs a parser tries in two ways: the work doubles with each inside another.
  readonly opened: number;
  ambiguity: number;
  // Weights of heads of statements, of the running expression, of `else`, and before each `<`.
  statement: number;
  expression: number;
  elses: number;
  angles: Angle | undefined;
  // Whether a `<` began a cast or the type parameters of an arrow function.
  castAngle: boolean;
  questions: number;
  classHeads: number;
}

// A `<` without its `>`: what stood before it, and all that the open ones weigh.
interface Angle {
  readonly joined: number;
  readonly weight: number;
  readonly next: Angle | undefined;
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
const REGEX_WORDS = words("typeof void delete new in instanceof case do else throw return default");
const DOUBTFUL = words("await yield of extends } >");
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
// What the parser takes for a comment up to the end of the line, in some places.
const MARKER = /<{7}|={7}|>{7}|\|{7}/y;
// Ways to read a source that are followed at once.
const MAX_READINGS = 16;

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
  // Where a `/` may divide or begin a regular expression both are followed, until they agree again.
  let readings = [new Reading(new Lexer(text))];
  let unterminated: NestingReport["unterminated"];
  let transformable = true;
  let survived = false;
  while (readings.length > 0) {
    const reading = readings.reduce((a, b) => b.position < a.position ? b : a);
    const other = reading.step();
    if (reading.isTooDeep) throw refusal("nests too deeply", text, { path, at: reading.start });
    if (reading.hasEnded) {
      readings = readings.filter((one) => one !== reading);
      unterminated ??= reading.unterminated;
      survived ||= reading.unterminated === undefined;
      transformable &&= reading.transformable;
    } else if (
      readings.length > 1 && readings.some((one) => one !== reading && one.join(reading))
    ) {
      readings = readings.filter((one) => one !== reading);
    }
    if (other !== undefined) readings.push(other);
    if (readings.length > MAX_READINGS) {
      checkWhole(text, { path, at: reading.start });
      return { transformable: !VOID_GAP.test(text) };
    }
  }
  if (survived || unterminated === undefined) return { transformable };
  return { transformable: false, unterminated };
}

interface Spot {
  readonly path: string;
  readonly at: number;
}

// Brackets may be hidden in any reading that is not followed: counts as if every one stayed open.
function checkWhole(text: string, spot: Spot): void {
  const weight = HEAVY * count(text, ALL_HEAVY) + count(text, ALL_LIGHT);
  const ambiguity = count(text, ALL_AMBIGUOUS);
  if (weight > 2 * MAX_SOURCE_NESTING || ambiguity > MAX_SOURCE_AMBIGUITY) {
    throw refusal("can be read in too many ways", text, spot);
  }
}

function refusal(what: string, text: string, { path, at }: Spot): AppError {
  const lines = text.slice(0, at).split("\n");
  return new AppError("limit", `Source ${quoteText(path)} ${what}`, {
    at: { file: path, line: lines.length, column: [...lines.at(-1)!].length + 1 },
    limit: { name: "nesting", limit: MAX_SOURCE_NESTING },
    hint: what.startsWith("nests")
      ? "Split the expression or the function into several"
      : 'Put parentheses around regular expressions and a semicolon before lines that begin with "/"',
  });
}

// One way to read a source, from token to token.
class Reading {
  readonly #lexer: Lexer;
  #level: Level = newLevel("", { parent: undefined, isControl: false, opened: 0 });
  // Whether the token before ended an operand, that token, and the one before it.
  #operand = false;
  #last = "";
  #before = "";
  hasEnded = false;
  transformable = true;
  unterminated: NestingReport["unterminated"];

  constructor(lexer: Lexer) {
    this.#lexer = lexer;
  }

  get position(): number {
    return this.#lexer.end;
  }

  get start(): number {
    return this.#lexer.start;
  }

  get isTooDeep(): boolean {
    return depthOf(this.#level) > MAX_SOURCE_NESTING ||
      this.#level.ambiguityBelow + this.#level.ambiguity > MAX_SOURCE_AMBIGUITY;
  }

  /** Reads one token; where it can be read in another way too, gives a reading that did so. */
  step(): Reading | undefined {
    const lexer = this.#lexer;
    const { end } = lexer;
    if (!lexer.next(!this.#operand)) {
      this.hasEnded = true;
      return undefined;
    }
    if (this.#last === "void" && lexer.start > end && lexer.kind !== "word") {
      this.transformable &&= !VOID_PANICS.has(lexer.text[lexer.start]!);
    }
    const other = this.#otherReading();
    this.#take();
    if (other !== undefined) other.#take();
    return other;
  }

  /** Takes what `other` found into this reading, if both read alike what follows. */
  join(other: Reading): boolean {
    if (
      this.position !== other.position || this.#operand !== other.#operand ||
      this.#last !== other.#last || this.#before !== other.#before
    ) return false;
    const level = joinLevels(this.#level, other.#level);
    if (level === undefined) return false;
    this.#level = level;
    this.transformable &&= other.transformable;
    return true;
  }

  #otherReading(): Reading | undefined {
    const { kind, text, start, lineBreak } = this.#lexer;
    const char = text[start]!;
    const isFirst = lineBreak || this.#last === "";
    const isComment = char === "<" && text.startsWith("<!--", start) ||
      isFirst && (char === "-" && text.startsWith("-->", start) || isMarker(text, start));
    // An operand can end a line, and the statement with it where it is a type.
    const isDivision = kind === "punctuation" && char === "/" && this.#operand && lineBreak;
    const isRegex = kind === "regex" && DOUBTFUL.has(this.#last);
    if (!isDivision && !isRegex && !(isComment && kind === "punctuation")) return undefined;
    const lexer = this.#lexer.copy();
    if (isComment) lexer.skipLine();
    else lexer.reread(isDivision);
    if (isDivision && lexer.kind !== "regex") return undefined;
    const other = new Reading(lexer);
    other.#level = { ...this.#level };
    other.#operand = isDivision ? false : this.#operand;
    other.#last = this.#last;
    other.#before = this.#before;
    other.transformable = this.transformable;
    return other;
  }

  #take(): void {
    const { kind } = this.#lexer;
    if (kind === "comment") return;
    const value = kind === "word" || kind === "punctuation" ? this.#lexer.value : "literal";
    if (this.#beginsStatement(value)) this.#reset();
    if (kind === "word") this.#word(value);
    else if (kind === "punctuation") this.#punctuation(value);
    else this.#literal();
    this.#before = this.#last;
    this.#last = value;
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
    level.statement = level.classHeads = 0;
    level.angles = undefined;
    this.#endExpression();
  }

  #endExpression(): void {
    const level = this.#level;
    level.expression = level.ambiguity = level.questions = 0;
    level.castAngle = false;
  }

  #word(word: string): void {
    const isName = this.#last === "." || this.#last === "?.";
    this.#operand = isName || !(REGEX_WORDS.has(word) || DOUBTFUL.has(word));
    if (isName) return;
    if (STATEMENT_WORDS.has(word)) this.#level.statement += HEAVY;
    else if (word === "else") this.#level.elses += 1;
    else if (HEAVY_WORDS.has(word)) this.#level.expression += HEAVY;
    else if (LIGHT_WORDS.has(word)) this.#level.expression += 1;
    if (word === "class" && this.#level.classHeads++ > 0) this.#level.ambiguity++;
  }

  #literal(): void {
    const { kind, text, start, end } = this.#lexer;
    this.#operand = true;
    if (kind === "broken") {
      const first = text[start];
      this.#endless(
        first === "/" ? "comment" : first === '"' || first === "'" ? "string" : "template",
      );
    }
    if (kind !== "template") return;
    this.#level.expression += 1;
    if (text[end - 1] === "{") this.#push("`");
  }

  #endless(what: string): void {
    this.unterminated = { what, at: this.#lexer.start };
    this.hasEnded = true;
  }

  #punctuation(char: string): void {
    const { lineBreak, brokenRegex } = this.#lexer;
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
        level.angles = {
          joined: level.expression,
          weight: level.expression + HEAVY + (level.angles?.weight ?? 0),
          next: level.angles,
        };
        level.expression = 0;
        if (!wasOperand || OPEN_WORDS.has(this.#last)) level.castAngle = true;
        return;
      case ">":
        this.#closeAngle();
        break;
      case "=>":
        this.#level.expression += HEAVY;
        if (level.questions > 0) this.#level.ambiguity++;
        return;
      case "?":
        level.questions++;
        break;
      case ":":
        // A key of an object: what looked like `<` of types before it were comparisons.
        if (level.open === "{" && this.#before === ",") this.#reset();
        // A label behind a label.
        if (this.#before === ":" && /^[\w$\\]/.test(this.#last)) this.#level.statement += HEAVY;
        break;
      case "!":
        this.#operand = wasOperand && !lineBreak;
        break;
      case "++":
      case "--":
        this.#operand = wasOperand && !lineBreak;
        break;
      case "/":
        if (!wasOperand && brokenRegex && !DOUBTFUL.has(this.#last)) {
          return this.#endless("regular expression");
        }
        break;
    }
    this.#level.expression += 1;
  }

  // It may have been a comparison, so only the bracket is taken back; casts nest like brackets.
  #closeAngle(): void {
    const level = this.#level;
    if (level.angles === undefined) return;
    level.expression += level.angles.joined + (level.castAngle ? HEAVY : 0);
    level.angles = level.angles.next;
  }

  #push(open: Level["open"]): void {
    const level = this.#level;
    let opened = level.classHeads > 0 ? 1 : 0;
    if (open === "(" && level.angles !== undefined) opened += 2;
    if (level.castAngle) opened += 2;
    if (open === "{" && level.classHeads > 0) level.classHeads--;
    const isAwait = this.#last === "await" && this.#before === "for";
    const isControl = open === "(" && this.#before !== "." && this.#before !== "?." &&
      (isAwait || CONTROL_WORDS.has(this.#last));
    this.#level = newLevel(open, { parent: level, isControl, opened });
    this.#operand = false;
  }

  #pop(): void {
    const { parent } = this.#level;
    if (parent === undefined) return;
    // A copy, because another reading may share it. Calls and subscripts in a row nest too, one
    // behind the other.
    this.#level = { ...parent, expression: parent.expression + 1 };
  }
}

function newLevel(
  open: Level["open"],
  { parent, isControl, opened }: Pick<Level, "parent" | "isControl" | "opened">,
): Level {
  return {
    open,
    parent,
    depthBelow: parent === undefined ? 0 : depthOf(parent) + HEAVY,
    ambiguityBelow: parent === undefined ? 0 : parent.ambiguityBelow + parent.ambiguity + opened,
    isControl,
    opened,
    ambiguity: 0,
    statement: 0,
    expression: 0,
    elses: 0,
    angles: undefined,
    castAngle: false,
    questions: 0,
    classHeads: 0,
  };
}

function depthOf({ depthBelow, statement, expression, elses, angles }: Level): number {
  return depthBelow + statement + expression + elses + (angles?.weight ?? 0);
}

// What weighs at least as much as both; undefined when they are not open alike.
function joinLevels(a: Level, b: Level): Level | undefined {
  if (a === b) return a;
  if (a.open !== b.open || a.isControl !== b.isControl) return undefined;
  const parent = a.parent && b.parent && joinLevels(a.parent, b.parent);
  if (parent === undefined && a.parent !== b.parent) return undefined;
  const aAngles = a.angles, bAngles = b.angles;
  if (aAngles?.next !== bAngles?.next || (aAngles === undefined) !== (bAngles === undefined)) {
    return undefined;
  }
  return {
    ...a,
    parent,
    depthBelow: Math.max(a.depthBelow, b.depthBelow),
    ambiguityBelow: Math.max(a.ambiguityBelow, b.ambiguityBelow),
    ambiguity: Math.max(a.ambiguity, b.ambiguity),
    statement: Math.max(a.statement, b.statement),
    expression: Math.max(a.expression, b.expression),
    elses: Math.max(a.elses, b.elses),
    angles: (aAngles?.weight ?? 0) > (bAngles?.weight ?? 0) ? aAngles : bAngles,
    castAngle: a.castAngle || b.castAngle,
    questions: Math.max(a.questions, b.questions),
    classHeads: Math.max(a.classHeads, b.classHeads),
  };
}

// Seven alike at the start of a line, as a version control leaves them in a conflict.
function isMarker(text: string, at: number): boolean {
  MARKER.lastIndex = at;
  return MARKER.test(text);
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(" "));
}

function count(text: string, pattern: RegExp): number {
  let found = 0;
  for (const _ of text.matchAll(pattern)) found++;
  return found;
}
