// Names that servers chose to names that TypeScript and every disk accept. A name depends on the
// wire name alone unless two would clash; then each of them carries a part of its own hash, so
// that no program can reach another tool by the name it was written for.

import { digestOf } from "./hash.ts";
import { MAX_IDENTIFIER_CHARS } from "./limits.ts";

/** How words are joined: `createIssue` for functions and files, `CreateIssue` for types. */
export type NameStyle = "function" | "type";

// How much of its hash a name carries: none when it is alone.
const HASH_CHARS = [0, 6, 16, 32, 64];

// Compared in lower case, since files and names are unique ignoring case. Beside the words of the
// language: our own files, device names of Windows, what a module's scope or a promise gives a
// meaning (`then` makes a namespace a promise), and the members every object inherits.
const TAKEN_FUNCTIONS = new Set(
  `index types host manifest deno tsconfig
  con prn aux nul com0 com1 com2 com3 com4 com5 com6 com7 com8 com9
  lpt0 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 lpt7 lpt8 lpt9
  arguments await break case catch class const continue debugger default delete do else enum eval
  export exports extends false finally for function globalthis if implements import in infinity
  instanceof interface let nan new null package private protected public require return static
  super switch this throw true try typeof undefined var void while with yield
  then calltool
  constructor hasownproperty isprototypeof propertyisenumerable tolocalestring tostring valueof`
    .split(/\s+/),
);
const TAKEN_TYPES = new Set(
  `any array bigint boolean date error exclude extract function infinity map math nan never null
  number object omit partial pick promise readonly record regexp required set string symbol
  undefined unknown void globalthis`.split(/\s+/),
);

/**
 * An identifier of ASCII letters and digits for each of `names`, unique ignoring case whatever the
 * order; with nothing usable in a name it is `tool_<hash>`, or `Type_<hash>` for types. `taken` are
 * further names, in lower case, that must not be given.
 */
export function identifiersOf(
  names: Iterable<string>,
  { style, taken }: { style: NameStyle; taken?: ReadonlySet<string> },
): Map<string, string> {
  const result = new Map<string, string>();
  const given = new Set(taken);
  let left = Array.from(new Set(names), (name) => draftOf(name, style));
  // Each gets the shortest name that nothing else claims: only one made to clash gets to a longer.
  for (const chars of HASH_CHARS) {
    const named = left.map((draft) => ({ draft, name: candidateOf(draft, chars) }));
    left = [];
    for (const [fold, claims] of Map.groupBy(named, ({ name }) => name.toLowerCase())) {
      const { draft, name } = claims[0]!;
      if (claims.length > 1 || given.has(fold) || draft.lossy && chars === 0) {
        for (const claim of claims) left.push(claim.draft);
      } else {
        result.set(draft.wire, name);
        given.add(fold);
      }
    }
  }
  return result;
}

/** What a name becomes before it is compared with the others. */
interface Draft {
  readonly wire: string;
  /** The name it gets when it is alone. */
  readonly name: string;
  /** What the hash is put behind when it is not, or when it was cut. */
  readonly stem: string;
  /** Whether more than separators was lost, so that the hash is always needed. */
  readonly lossy: boolean;
}

function candidateOf({ wire, name, stem }: Draft, chars: number): string {
  return chars === 0 ? name : `${stem}_${digestOf(wire).replace("blake3:", "").slice(0, chars)}`;
}

// A plain name has no underscore except in front of a digit, a taken word ends in one, a hash
// follows one: the three never meet.
function draftOf(name: string, style: NameStyle): Draft {
  const lossless = /^[\x20-\x7e]*$/.test(name);
  const ascii = lossless ? name : name.normalize("NFKD").replace(/\p{M}+/gu, "");
  const cleaned = ascii.replace(/[^A-Za-z0-9]+/g, "_");
  const words = cleaned.split("_").filter((word) => word !== "");
  let joined = "";
  const shouting = !/[a-z]/.test(cleaned);
  for (const word of words) {
    const part = shouting ? word.toLowerCase() : word;
    joined += joined === "" && style === "function"
      ? lowerStart(part)
      : part.charAt(0).toUpperCase() + part.slice(1);
    if (joined.length > MAX_IDENTIFIER_CHARS) break;
  }
  const lossy = joined === "" || joined.length > MAX_IDENTIFIER_CHARS || !lossless;
  let stem = joined.slice(0, MAX_IDENTIFIER_CHARS) || (style === "type" ? "Type" : "tool");
  if (/^[0-9]/.test(stem)) stem = `_${stem}`;
  const taken = style === "type" ? TAKEN_TYPES : TAKEN_FUNCTIONS;
  return { wire: name, name: taken.has(stem.toLowerCase()) ? `${stem}_` : stem, stem, lossy };
}

// `Index` to `index`, `API` to `api`, `HTTPServer` to `httpServer`.
function lowerStart(word: string): string {
  const run = /^[A-Z]+(?=[A-Z][a-z]|[0-9]|$)/.exec(word)?.[0] ?? word.charAt(0);
  return run.toLowerCase() + word.slice(run.length);
}
