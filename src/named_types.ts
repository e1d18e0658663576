// The named types of all tools of a server, each structure once under one name. A changed text
// renames nothing: docs do not count.

import { identifiersOf } from "./identifiers.ts";
import { MAX_SHARED_DEFINITIONS } from "./limits.ts";
import type { TypeModel } from "./type_model.ts";
import { printType } from "./type_text.ts";

/** A model, and what names the place it stands at: unique, and the same whatever else there is. */
export interface PlacedModel {
  readonly model: TypeModel;
  readonly place: string;
}

/** The named types of all tools. */
export interface SharedTypes {
  /** Names with their types as text, sorted by name. */
  readonly definitions: readonly { readonly name: string; readonly text: string }[];
  /** The name in `types.ts` of a definition of `model`. */
  nameOf(model: TypeModel, definition: string): string;
}

/** A named type of one model. */
interface Entry extends PlacedModel {
  readonly definition: string;
  /** Its name in the schema. */
  readonly local: string;
  /** What it looks like without docs, and which others it uses, in order. */
  readonly shape: string;
  readonly uses: readonly string[];
}

/**
 * One name for each structure among the definitions of `models`, and never one of `taken`. Two
 * definitions are one when they have the same name in their schemas and look the same all the way
 * down; a name that several structures want goes to none, each is named after its first place.
 */
export function nameDefinitions(
  models: Iterable<PlacedModel>,
  options: { readonly taken: Iterable<string> },
): SharedTypes {
  const entries: Entry[] = [];
  for (const placed of models) {
    if (placed.model.definitions.size > 0) entries.push(...entriesOf(placed));
  }
  if (entries.length === 0) return { definitions: [], nameOf: (_, definition) => definition };
  const classes = classesOf(entries);
  const firsts = new Map<number, Entry>();
  const structures = new Map<string, number>();
  for (const [at, entry] of entries.entries()) {
    if (firsts.has(classes[at]!)) continue;
    firsts.set(classes[at]!, entry);
    structures.set(entry.local, (structures.get(entry.local) ?? 0) + 1);
  }
  const wanted = new Map<number, string>();
  const placed = new Set<string>();
  for (const [group, { local, place, definition }] of firsts) {
    const name = placed.has(`${place} ${local}`) ? definition : local;
    placed.add(`${place} ${name}`);
    wanted.set(group, structures.get(local) === 1 ? local : `${place} ${name}`);
  }
  const taken = new Set([...options.taken].map((name) => name.toLowerCase()));
  const names = identifiersOf(wanted.values(), { style: "type", taken });
  const given = new Map<TypeModel, Map<string, string>>();
  for (const [at, { model, definition }] of entries.entries()) {
    const own = given.get(model) ?? new Map<string, string>();
    given.set(model, own.set(definition, names.get(wanted.get(classes[at]!)!)!));
  }
  const nameOf = (model: TypeModel, definition: string) => given.get(model)!.get(definition)!;
  const texts = new Map<string, string>();
  for (const { model, definition } of firsts.values()) {
    const type = model.definitions.get(definition)!;
    const text = printType(type, { names: (name) => nameOf(model, name) });
    texts.set(nameOf(model, definition), text);
  }
  const definitions = [...texts.keys()].sort().map((name) => ({ name, text: texts.get(name)! }));
  return { definitions, nameOf };
}

function entriesOf({ model, place }: PlacedModel): Entry[] {
  const alone = model.definitions.size > MAX_SHARED_DEFINITIONS;
  return [...model.definitions].map(([definition, type]) => {
    const uses: string[] = [];
    const shape = JSON.stringify(type, (key, value: unknown) => {
      if (key === "docs") return undefined;
      const name = key === "to" ? (value as { name?: string }).name : undefined;
      if (name === undefined) return value;
      uses.push(name);
      return null;
    });
    const local = model.localNames.get(definition) ?? definition;
    return {
      model,
      definition,
      place,
      local,
      uses,
      shape: alone ? `${place} ${definition}` : shape,
    };
  });
}

// A number for each entry, equal for entries that are one: first by name and shape; then those that
// use what came apart come apart, until nothing new does.
function classesOf(entries: readonly Entry[]): number[] {
  const places = new Map<TypeModel, Map<string, number>>();
  for (const [at, { model, definition }] of entries.entries()) {
    const own = places.get(model) ?? new Map<string, number>();
    places.set(model, own.set(definition, at));
  }
  const uses = entries.map(({ model, uses }) => uses.map((name) => places.get(model)!.get(name)!));
  const users = entries.map((): number[] => []);
  for (const [at, own] of uses.entries()) for (const use of own) users[use]!.push(at);
  const first = Map.groupBy(entries.keys(), (at) => `${entries[at]!.local} ${entries[at]!.shape}`);
  const classes: number[] = [];
  const sizes: number[] = [];
  for (const group of first.values()) {
    for (const at of group) classes[at] = sizes.length;
    sizes.push(group.length);
  }
  let open = new Set(entries.keys());
  while (open.size > 0) {
    const groups = Map.groupBy(
      open,
      (at) => [classes[at], ...uses[at]!.map((use) => classes[use])].join(),
    );
    open = new Set();
    for (const group of groups.values()) {
      const old = classes[group[0]!]!;
      // The last of a class keeps its number.
      if (group.length === sizes[old]) continue;
      sizes[old]! -= group.length;
      for (const at of group) {
        classes[at] = sizes.length;
        for (const user of users[at]!) open.add(user);
      }
      sizes.push(group.length);
    }
  }
  return classes;
}
