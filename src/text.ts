// Untrusted text to text that is safe to show, and secrets to a mask. Everything that came from a
// server, a guest, a file of a project or a skill passes here before a person or a model sees it.

/** Text whose control and invisible characters were made visible; safe for a terminal or a log. */
export type SafeText = string;

// Controls, bidi and other format characters, tags, variation selectors and whatever else shows
// nothing (DI), private use, lone surrogates, line and paragraph separators. Tab and line feed stay.
const UNSAFE =
  // deno-lint-ignore no-control-regex
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]|\p{DI}|\p{Cf}|\p{Cs}|\p{Co}|\p{Zl}|\p{Zp}/gu;

/**
 * `text` over several lines with every unsafe character written as `\u{hex}`; tabs and line feeds
 * stay, CR LF becomes LF. At most `maxChars` characters, then a note of how many were left out.
 */
export function cleanText(text: string, maxChars = 10_000): SafeText {
  const kept = startOf(text, maxChars);
  const safe = isPlain(kept) ? kept : kept.replaceAll("\r\n", "\n").replace(
    UNSAFE,
    (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`,
  );
  return kept.length < text.length ? `${safe}... (${text.length - kept.length} more)` : safe;
}

/**
 * Whether `text` is printable ASCII, tabs and line feeds alone. Most is, and to ask is a tenth of the
 * work of the first look for characters by their Unicode properties.
 */
export function isPlain(text: string): boolean {
  return /^[\t\n\x20-\x7e]*$/.test(text);
}

/** `cleanText` on one line: line feeds and runs of white space become one space. */
export function cleanLine(text: string, maxChars = 500): SafeText {
  // Collapsing looks only at the part that can be shown, so a huge text costs nothing.
  const kept = text.slice(0, maxChars * 4).replace(/[\s\u0085]+/g, " ").trim();
  if (text.length <= maxChars * 4) return cleanText(kept, maxChars);
  const shown = startOf(kept, maxChars);
  return `${cleanText(shown, maxChars)}... (${text.length - shown.length} more)`;
}

/** `text` cleaned, shortened to 80 characters and in double quotes, for use inside a message. */
export function quoteText(text: string): SafeText {
  const kept = startOf(text, 80);
  const safe = cleanText(kept.replace(/[\r\n\t]/g, " "), 80);
  return `"${safe}${kept.length < text.length ? "..." : ""}"`;
}

// At most `maxChars` of `text`, without half of a character at the end.
function startOf(text: string, maxChars: number): string {
  return text.length > maxChars ? text.slice(0, maxChars).replace(/[\ud800-\udbff]$/, "") : text;
}

const encoder = new TextEncoder();

/** The size of `text` in bytes, as UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

const MASK = "***";

/**
 * A value that must never be shown: every way of printing or serialising it gives a mask.
 * Only `secrets`, `http` and `process` may call `reveal`.
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

/**
 * `url` for showing: user, password, query values and fragment masked. Of a URL with another scheme
 * than those of the web only the scheme is left, of anything else only a mask.
 */
export function maskUrl(url: string): SafeText {
  if (!URL.canParse(url)) return MASK;
  const parsed = new URL(url);
  if (!/^(?:https?|wss?):$/.test(parsed.protocol)) return `${parsed.protocol}${MASK}`;
  const user = parsed.username === "" && parsed.password === "" ? "" : `${MASK}@`;
  // A name without a value may be the secret itself.
  const query = parsed.search.slice(1).split("&").filter((part) => part !== "")
    .map((part) => /^[^=]+=./.test(part) ? `${part.slice(0, part.indexOf("="))}=${MASK}` : MASK);
  return cleanLine(
    `${parsed.protocol}//${user}${parsed.host}${parsed.pathname}` +
      (query.length === 0 ? "" : `?${query.join("&")}`) + (parsed.hash === "" ? "" : `#${MASK}`),
  );
}

/** `url` as `maskUrl` shows it; one with `${VARIABLES}` as it is written, without user and query. */
export function maskUrlTemplate(url: string): SafeText {
  if (!url.includes("${")) return maskUrl(url);
  // It cannot be parsed: whatever may be user info or query goes, also where a parser would pass
  // over white space, or take `\\` or nothing for the slashes. A variable's default may be either.
  const shown = url.replace(/[\t\r\n]/g, "").replace(/\$\{[^{}]*\}/g, (variable) => {
    const cut = variable.indexOf(":-");
    return cut !== -1 && /[?#@]/.test(variable.slice(cut))
      ? `${variable.slice(0, cut)}:-${MASK}}`
      : variable;
  }).replace(/[?#].*$/s, "");
  return cleanLine(shown.replace(USER_INFO, `$1${MASK}@`));
}

// Behind a scheme or two slashes, up to the last "@" before the next slash.
const USER_INFO =
  /(^\s*(?:[\w+.-]|\$\{[^{}]*\})*:[\\/]?|[\\/][\\/])(?:[^\\/$]|\$\{[^{}]*\}|\$(?!\{))*@/;

const SECRET_WORD = /key|token|secret|pass|pwd|auth|credential|bearer|cookie/i;
const TOKEN_SHAPE = /^(?:sk|pk|rk|gh[a-z]|github_pat|glpat|xox[a-z])[-_]|^(?:AKIA|eyJ)/;

/**
 * `args` of a command for showing: values of variables, headers and flags that sound secret, secret
 * parts of URLs and what has the shape of a token are masked. Not cleaned. A secret that looks like
 * any other word is not found.
 */
export function maskArguments(args: readonly string[]): string[] {
  return args.map((arg, index) => {
    const flag = /^(--?[\w.-]+)=/.exec(arg)?.[1];
    if (flag !== undefined) {
      return SECRET_WORD.test(flag)
        ? `${flag}=${MASK}`
        : `${flag}=${maskArguments([arg.slice(flag.length + 1)])[0]}`;
    }
    const before = args[index - 1] ?? "";
    if (/^--?[^=]+$/.test(before) && SECRET_WORD.test(before) && !arg.startsWith("-")) return MASK;
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(arg)) return maskUrl(arg);
    const assigned = /^([A-Za-z_]\w*=|[A-Za-z][\w-]*:\s)/.exec(arg)?.[1];
    if (assigned !== undefined) return `${assigned}${MASK}`;
    const isDense = /^\w{24,}$/.test(arg) && /\d.*\d.*\d/.test(arg) && /[A-Za-z]/.test(arg);
    return isDense || TOKEN_SHAPE.test(arg) ? MASK : arg;
  });
}

/** `text` with the home folder written as `~` wherever a path in it begins with it. */
export function maskHome(text: string, home: string | undefined): string {
  const folder = home?.replace(/[\\/]+$/, "") ?? "";
  if (folder === "") return text;
  let masked = "";
  let from = 0;
  for (let at = text.indexOf(folder); at >= 0;) {
    const end = at + folder.length;
    const [before, after] = [text.slice(Math.max(0, at - 2), at), text.slice(end, end + 2)];
    const isWhole = !isOfName([...before].at(-1)) && !isOfName([...after][0]);
    if (isWhole) {
      masked += `${text.slice(from, at)}~`;
      from = end;
    }
    at = text.indexOf(folder, isWhole ? end : at + 1);
  }
  return masked + text.slice(from);
}

function isOfName(char = ""): boolean {
  return isPlain(char) ? /[\w.-]/.test(char) : /[\p{L}\p{N}]/u.test(char);
}

/** `parts` one after the other, `size` bytes in all; a lone part is given as it is. */
export function joinBytes(parts: readonly Uint8Array[], size: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
