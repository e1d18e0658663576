// Cuts JavaScript or TypeScript into tokens, in linear time and without recursion. It knows no
// grammar: the caller says whether a regular expression or a template's rest may stand next.

/**
 * What a token is: `broken` is a string, template or comment that does not end, `comment` only what
 * `skipLine` made one.
 */
export type TokenKind =
  | "word"
  | "number"
  | "string"
  | "template"
  | "regex"
  | "punctuation"
  | "comment"
  | "broken"
  | "end";

const WORD = /(?:[\w$#]|\\u\{[\da-fA-F]+\}|\\u|[^\s!-~])+/y;
const NUMBER = /\.?\d(?:[eE][+-]|[\w.])*/y;
const PUNCTUATION = /=>|\?\?|\?\.(?!\d)|\+\+|--|\.\.\.|[^]/y;
const SPACE = /\s+/y;
const LINE_END = /[\n\r\u2028\u2029]/;
const REST_OF_LINE = /[^\n\r\u2028\u2029]*/y;

/** A reader that stands on one token of `text` and moves to the next. */
export class Lexer {
  readonly text: string;
  kind: TokenKind = "end";
  start = 0;
  /** Behind the token's last character. */
  end = 0;
  /** Whether a line ended between the token before and this one. */
  lineBreak = false;
  /** Whether a `/` stood where a regular expression may begin, but none ended on its line. */
  brokenRegex = false;
  // Up to here no regular expression ends, so that none is looked for twice.
  #noRegex = -1;

  constructor(text: string, noRegex?: number) {
    this.text = text;
    if (noRegex !== undefined) this.#noRegex = noRegex;
    else if (text.startsWith("#!")) this.#match(REST_OF_LINE, 0);
  }

  /** A reader that stands on the same token and moves on its own. */
  copy(): Lexer {
    return Object.assign(new Lexer(this.text, this.#noRegex), {
      kind: this.kind,
      start: this.start,
      end: this.end,
      lineBreak: this.lineBreak,
      brokenRegex: this.brokenRegex,
    });
  }

  /** Reads the token at hand, a `/` or what begins with one, as a regular expression or not. */
  reread(asRegex: boolean): void {
    if (asRegex && this.#regex()) this.kind = "regex";
    else {
      this.#match(PUNCTUATION);
      this.kind = "punctuation";
    }
  }

  /** Takes the rest of the line for a comment. */
  skipLine(): void {
    this.#match(REST_OF_LINE);
    this.kind = "comment";
  }

  /** The token's own text. */
  get value(): string {
    return this.text.slice(this.start, this.end);
  }

  /** Moves to the next token; false at the end of the text. */
  next(regexAllowed: boolean): boolean {
    if (!this.#skipSpace()) return true;
    this.start = this.end;
    const char = this.text[this.start];
    if (char === undefined) {
      this.kind = "end";
      return false;
    }
    if (char === '"' || char === "'") this.#string(char);
    else if (char === "`") this.template();
    else if (this.#match(NUMBER)) this.kind = "number";
    else if (this.#match(WORD)) this.kind = "word";
    else if (char === "/" && regexAllowed && this.#regex()) this.kind = "regex";
    else {
      this.#match(PUNCTUATION);
      this.kind = "punctuation";
    }
    return true;
  }

  /**
   * Reads a template from the token's first character, a backtick or the `}` that ends a
   * substitution, to its closing backtick or the next `${`.
   */
  template(): void {
    const { text } = this;
    for (let at = this.start + 1; at < text.length; at++) {
      const char = text[at];
      if (char === "\\") at++;
      else if (char === "`" || (char === "$" && text[at + 1] === "{")) {
        this.end = char === "`" ? at + 1 : at + 2;
        this.kind = "template";
        return;
      }
    }
    this.#break(text.length);
  }

  // False when a comment does not end: the token is then the broken rest of the text.
  #skipSpace(): boolean {
    const { text } = this;
    this.lineBreak = false;
    for (;;) {
      const from = this.end;
      this.start = from;
      if (this.#match(SPACE)) {
        // Skipped below, with comments.
      } else if (text.startsWith("//", from)) this.#match(REST_OF_LINE);
      else if (text.startsWith("/*", from)) {
        const close = text.indexOf("*/", from + 2);
        if (close < 0) return this.#break(text.length);
        this.end = close + 2;
      } else return true;
      this.lineBreak ||= LINE_END.test(text.slice(from, this.end));
    }
  }

  #string(quote: string): void {
    const { text } = this;
    for (let at = this.start + 1; at < text.length; at++) {
      const char = text[at];
      if (char === "\\") at += text.startsWith("\r\n", at + 1) ? 2 : 1;
      else if (char === quote) {
        this.end = at + 1;
        this.kind = "string";
        return;
      } else if (char === "\n" || char === "\r") return void this.#break(at);
    }
    this.#break(text.length);
  }

  #regex(): boolean {
    const { text, start } = this;
    if (start < this.#noRegex) return false;
    let inClass = false;
    let at = start + 1;
    for (; at < text.length; at++) {
      const char = text[at]!;
      if (LINE_END.test(char)) break;
      if (char === "\\" && !LINE_END.test(text[at + 1] ?? "")) at++;
      else if (char === "[") inClass = true;
      else if (char === "]") inClass = false;
      else if (char === "/" && !inClass) {
        this.end = at + 1;
        this.#match(WORD, at + 1);
        return true;
      }
    }
    this.#noRegex = at;
    this.brokenRegex = true;
    return false;
  }

  #break(end: number): false {
    this.end = end;
    this.kind = "broken";
    return false;
  }

  #match(pattern: RegExp, at = this.start): boolean {
    pattern.lastIndex = at;
    if (!pattern.test(this.text)) return false;
    this.end = pattern.lastIndex;
    return true;
  }
}
