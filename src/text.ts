// Untrusted text to text that is safe to show, and secrets to a mask. Everything that came from a
// server, a guest, a file of a project or a skill passes here before a person or a model sees it.

/** Text whose control and invisible characters were made visible; safe for a terminal or a log. */
export type SafeText = string;

// Controls, bidi and other format characters, tags, variation selectors, private use, lone
// surrogates, line and paragraph separators. Tab and line feed are decided by the caller.
const UNSAFE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|[\u115f\u1160\u3164\uffa0\ufe00-\ufe0f]|[\u{e0100}-\u{e01ef}]|\p{Cf}|\p{Cs}|\p{Co}|\p{Zl}|\p{Zp}/gu;

/**
 * `text` over several lines with every unsafe character written as `\u{hex}`; tabs and line feeds
 * stay, CR LF becomes LF. At most `maxChars` characters, then a note of how many were left out.
 */
export function cleanText(text: string, maxChars = 10_000): SafeText {
  const kept = text.length > maxChars ? text.slice(0, maxChars) : text;
  const safe = kept.replaceAll("\r\n", "\n").replace(
    UNSAFE,
    (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
  return text.length > maxChars ? `${safe}... (${text.length - maxChars} more)` : safe;
}

/** `cleanText` on one line: line feeds and runs of white space become one space. */
export function cleanLine(text: string, maxChars = 500): SafeText {
  // Collapsing looks only at the part that can be shown, so a huge text costs nothing.
  const kept = text.slice(0, maxChars * 4).replace(/[\s\u0085]+/g, " ").trim();
  return cleanText(kept, maxChars);
}

/** `text` cleaned, shortened to 80 characters and in double quotes, for use inside a message. */
export function quoteText(text: string): SafeText {
  const safe = cleanText(text.slice(0, 81).replace(/[\r\n\t]/g, " "), 80);
  return `"${text.length > 80 ? `${safe.replace(/\.\.\. \(.*$/, "")}...` : safe}"`;
}

const MASK = "***";

/**
 * A value that must never be shown: every way of printing or serialising it gives a mask.
 * Only `transport` and `process` may call `reveal`.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the wire. */
  reveal(): string {
    return this.#value;
  }

  /** A secret of the changed value; the value itself does not come out. */
  map(change: (value: string) => string): Secret {
    return new Secret(change(this.#value));
  }

  /** The mask. */
  toString(): string {
    return MASK;
  }

  /** The mask. */
  toJSON(): string {
    return MASK;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return MASK;
  }
}

/** `url` for showing: user, password, query values and fragment masked; a mask when not a URL. */
export function maskUrl(url: string): SafeText {
  if (!URL.canParse(url)) return MASK;
  const parsed = new URL(url);
  const user = parsed.username === "" && parsed.password === "" ? "" : `${MASK}@`;
  const query = [...parsed.searchParams.keys()].map((key) => `${encodeURIComponent(key)}=${MASK}`);
  return cleanLine(
    `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}` +
      (query.length === 0 ? "" : `?${query.join("&")}`) + (parsed.hash === "" ? "" : `#${MASK}`),
  );
}

/** `path` with the home folder written as `~`. */
export function maskHome(path: string, home: string | undefined): string {
  if (home === undefined || home === "" || home === "/") return path;
  if (path === home) return "~";
  return path.startsWith(`${home}/`) || path.startsWith(`${home}\\`)
    ? `~${path.slice(home.length)}`
    : path;
}
