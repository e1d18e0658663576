// Names that servers chose to names that TypeScript and every disk accept. A name depends on the
// wire name alone unless two would clash; then each of them carries a part of its own hash, so
// that no program can reach another tool by the name it was written for.

import { digestOf } from "./hash.ts";
import { MAX_IDENTIFIER_CHARS } from "./limits.ts";

/** How words are joined: `createIssue` for functions and files, `CreateIssue` for types. */
export type NameStyle = "function" | "type";

const HASH_CHARS = [6, 16, 32, 64] as const;

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
  options: { style: NameStyle; taken?: ReadonlySet<string> },
): Map<string, string> {
  const drafts = new Map<string, Draft>();
  const uses = new Map<string, number>();
  for (const name of names) {
    if (drafts.has(name)) continue;
    const draft = draftOf(name, options.style);
    drafts.set(name, draft);
    const fold = draft.name.toLowerCase();
    uses.set(fold, (uses.get(fold) ?? 0) + 1);
  }
  const result = new Map<string, string>();
  const given = new Set<string>();
  const hashed: string[] = [];
  for (const [name, draft] of drafts) {
    const fold = draft.name.toLowerCase();
    if (draft.lossy || uses.get(fold)! > 1 || options.taken?.has(fold)) hashed.push(name);
    else {
      result.set(name, draft.name);
      given.add(fold);
    }
  }
  for (const chars of HASH_CHARS) nameByHash(hashed, chars);
  return result;

  // Names every entry of `left` that nothing else claims at this length; only a name made to
  // clash gets to a longer one.
  function nameByHash(left: string[], chars: number): void {
    const claims = new Map<string, { name: string; candidate: string }[]>();
    for (const name of left.splice(0)) {
      const digest = digestOf(name).slice("blake3:".length);
      const candidate = `${drafts.get(name)!.stem}_${digest.slice(0, chars)}`;
      const fold = candidate.toLowerCase();
      if (given.has(fold) || options.taken?.has(fold)) left.push(name);
      else claims.set(fold, [...(claims.get(fold) ?? []), { name, candidate }]);
    }
    for (const [fold, claimants] of claims) {
      if (claimants.length > 1) left.push(...claimants.map((claim) => claim.name));
      else {
        result.set(claimants[0]!.name, claimants[0]!.candidate);
        given.add(fold);
      }
    }
  }
}

/** What a name becomes before it is compared with the others. */
interface Draft {
  /** The name it gets when it is alone. */
  readonly name: string;
  /** What the hash is put behind when it is not, or when it was cut. */
  readonly stem: string;
  /** Whether more than separators was lost, so that the hash is always needed. */
  readonly lossy: boolean;
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
  return { name: taken.has(stem.toLowerCase()) ? `${stem}_` : stem, stem, lossy };
}

// `Index` to `index`, `API` to `api`, `HTTPServer` to `httpServer`.
function lowerStart(word: string): string {
  const run = /^[A-Z]+(?=[A-Z][a-z]|[0-9]|$)/.exec(word)?.[0] ?? word.charAt(0);
  return run.toLowerCase() + word.slice(run.length);
}
