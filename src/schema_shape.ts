// Sets of JSON values by kind, and how to intersect and unite them. A set is never smaller than
// what it stands for: whatever cannot be said exactly, or grows past a bound, becomes wider.

import { MAX_TYPE_ALTERNATIVES } from "./limits.ts";
import type { JsonObject } from "./server.ts";

/** Some values of a scalar kind: those listed, or all except those listed. */
export interface ScalarSet<T> {
  readonly values: ReadonlySet<T>;
  readonly except: boolean;
}

/** A member of an object: what its value must satisfy. */
export interface ShapeMember {
  readonly meet: Meet;
  readonly required: boolean;
  /** The schema that documents it. */
  readonly docs: JsonObject | undefined;
}

/** Keys that an `unevaluated...` keyword does not reach, since another keyword may have. */
export interface SeenKeys {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
  readonly prefixes: ReadonlySet<string>;
}

/** Elements that an `unevaluated...` keyword does not reach. */
export interface SeenItems {
  /** How many from the start; infinite for all. */
  readonly count: number;
  /** Elements that satisfy one of these. */
  readonly matching: ReadonlySet<Meet>;
}

/** Objects of one form. A key that is no member satisfies all prefixes it has, else `extras`. */
export interface ObjectShape {
  readonly members: ReadonlyMap<string, ShapeMember>;
  readonly prefixes: ReadonlyMap<string, Meet>;
  readonly extras: Meet;
  readonly seen: SeenKeys;
}

/** Arrays of one form; `max` is infinite for open ones. */
export interface ArrayShape {
  readonly items: readonly Meet[];
  readonly rest: Meet;
  readonly min: number;
  readonly max: number;
  readonly seen: SeenItems;
}

/** A set of JSON values. An empty list of shapes: none of that kind. */
export interface ValueSet {
  readonly nulls: boolean;
  /** Bit 1 for `true`, bit 2 for `false`. */
  readonly booleans: number;
  readonly numbers: ScalarSet<number>;
  readonly strings: ScalarSet<string>;
  readonly arrays: readonly ArrayShape[];
  readonly objects: readonly ObjectShape[];
}

/** Subschemas that a value must satisfy all; equal ones are the same object. */
export interface Meet {
  /** Ids of subschemas in rising order, `~id` for one that must not be satisfied. */
  readonly terms: readonly number[];
  /** The values, once they are known. */
  set: ValueSet | undefined;
  /** Whether they are being worked out. */
  isBusy: boolean;
}

/** What nothing is asked of, what nothing satisfies, and what nobody knows. */
export const ANYTHING: Meet = { terms: [], set: undefined, isBusy: false };
export const NOTHING: Meet = { terms: [], set: undefined, isBusy: false };
export const UNSURE: Meet = { terms: [], set: undefined, isBusy: false };

/** No scalar of a kind, and every one. */
export const NO_STRINGS: ScalarSet<string> = { values: new Set(), except: false };
export const ANY_STRINGS: ScalarSet<string> = { values: new Set(), except: true };
export const NO_NUMBERS: ScalarSet<number> = { values: new Set(), except: false };
export const ANY_NUMBERS: ScalarSet<number> = { values: new Set(), except: true };

/** No key seen, and every key seen. */
export const UNSEEN_KEYS: SeenKeys = { all: false, names: new Set(), prefixes: new Set() };
export const SEEN_KEYS: SeenKeys = { all: true, names: new Set(), prefixes: new Set() };
/** No element seen, and every element seen. */
export const UNSEEN_ITEMS: SeenItems = { count: 0, matching: new Set() };
export const SEEN_ITEMS: SeenItems = { count: Infinity, matching: new Set() };

/** Every object, and every array. */
export const ANY_OBJECT: ObjectShape = {
  members: new Map(),
  prefixes: new Map(),
  extras: ANYTHING,
  seen: UNSEEN_KEYS,
};
export const ANY_ARRAY: ArrayShape = {
  items: [],
  rest: ANYTHING,
  min: 0,
  max: Infinity,
  seen: UNSEEN_ITEMS,
};

// What a form is widened to; something may have looked at any of its keys or elements.
const WIDE_OBJECT: ObjectShape = { ...ANY_OBJECT, seen: SEEN_KEYS };
const WIDE_ARRAY: ArrayShape = { ...ANY_ARRAY, seen: SEEN_ITEMS };

/** No value, every value, and every value after something was widened. */
export const NO_VALUES: ValueSet = {
  nulls: false,
  booleans: 0,
  numbers: NO_NUMBERS,
  strings: NO_STRINGS,
  arrays: [],
  objects: [],
};
export const ALL_VALUES: ValueSet = {
  nulls: true,
  booleans: 3,
  numbers: ANY_NUMBERS,
  strings: ANY_STRINGS,
  arrays: [ANY_ARRAY],
  objects: [ANY_OBJECT],
};
export const WIDENED_VALUES: ValueSet = {
  ...ALL_VALUES,
  arrays: [WIDE_ARRAY],
  objects: [WIDE_OBJECT],
};

ANYTHING.set = ALL_VALUES;
NOTHING.set = NO_VALUES;
UNSURE.set = WIDENED_VALUES;

/** `set` with other arrays and objects. */
export function withShapes(
  set: ValueSet,
  arrays: readonly ArrayShape[],
  objects: readonly ObjectShape[],
): ValueSet {
  const { nulls, booleans, numbers, strings } = set;
  return { nulls, booleans, numbers, strings, arrays, objects };
}

/** Whether `set` has no value. */
export function isEmpty(set: ValueSet): boolean {
  return !set.nulls && set.booleans === 0 && isNone(set.numbers) && isNone(set.strings) &&
    set.arrays.length === 0 && set.objects.length === 0;
}

/** Whether `scalars` has no value. */
export function isNone<T>(scalars: ScalarSet<T>): boolean {
  return !scalars.except && scalars.values.size === 0;
}

/** Whether `shape` admits every object. */
export function isAnyObject(shape: ObjectShape): boolean {
  return shape.extras === ANYTHING && shape.members.size === 0 && shape.prefixes.size === 0;
}

/** Whether `shape` admits every array. */
export function isAnyArray(shape: ArrayShape): boolean {
  return shape.rest === ANYTHING && shape.items.length === 0 && shape.max === Infinity;
}

/** What the value under `key` must satisfy when `key` is no member of `shape`. */
export function extraMeet(shape: ObjectShape, key: string, meets: Meets): Meet {
  let found: Meet | undefined;
  if (shape.prefixes.size > 0) {
    for (const [prefix, meet] of shape.prefixes) {
      if (key.startsWith(prefix)) found = found === undefined ? meet : meets.both(found, meet);
    }
  }
  return found ?? shape.extras;
}

/** An array shape in its one form; none when no array has it. */
export function arrayShape(shape: ArrayShape, meets: Meets): ArrayShape | undefined {
  let max = shape.rest === NOTHING ? Math.min(shape.max, shape.items.length) : shape.max;
  const impossible = shape.items.findIndex((meet) => meets.isNever(meet));
  if (impossible >= 0) max = Math.min(max, impossible);
  if (shape.min > max) return undefined;
  if (max > shape.items.length) return shape;
  return { ...shape, items: shape.items.slice(0, max), rest: NOTHING, max };
}

/** What the operations need to know about meets, and whom they tell that they widened. */
export interface Meets {
  /** What satisfies both. */
  both(a: Meet, b: Meet): Meet;
  /** What satisfies one of them at least. */
  either(meets: readonly Meet[]): Meet;
  /** Whether it is certain that nothing satisfies `meet`. */
  isNever(meet: Meet): boolean;
  /** Counts work; false when the budget is spent. */
  spend(units: number): boolean;
  /** Notes that there were too many alternatives. */
  widened(): void;
}

/** The values in both sets. */
export function intersect(a: ValueSet, b: ValueSet, meets: Meets): ValueSet {
  if (a === ALL_VALUES) return b;
  if (b === ALL_VALUES) return a;
  return {
    nulls: a.nulls && b.nulls,
    booleans: a.booleans & b.booleans,
    numbers: intersectScalars(a.numbers, b.numbers),
    strings: intersectScalars(a.strings, b.strings),
    arrays: product(a.arrays, b.arrays, intersectArrays, meets) ?? a.arrays.map((shape) => ({
      ...shape,
      seen: b.arrays.reduce((seen, other) => uniteItems(seen, other.seen), shape.seen),
    })),
    objects: product(a.objects, b.objects, intersectObjects, meets) ??
      seeAlso(a.objects, seenKeys(b.objects)),
  };
}

/** The values in any of `sets`. */
export function unite(sets: readonly ValueSet[], meets: Meets): ValueSet {
  if (sets.length === 1) return sets[0]!;
  let nulls = false;
  let booleans = 0;
  const arrays = new Set<ArrayShape>();
  const objects = new Set<ObjectShape>();
  for (const set of sets) {
    nulls ||= set.nulls;
    booleans |= set.booleans;
    for (const shape of set.arrays) arrays.add(shape);
    for (const shape of set.objects) objects.add(shape);
  }
  return {
    nulls,
    booleans,
    numbers: uniteScalars(sets.map((set) => set.numbers)),
    strings: uniteScalars(sets.map((set) => set.strings)),
    arrays: isTooMany(arrays.size, meets) ? [WIDE_ARRAY] : [...arrays],
    objects: isTooMany(objects.size, meets) ? [join([...objects], meets)] : [...objects],
  };
}

/** All keys that any of `shapes` has seen. */
export function seenKeys(shapes: readonly ObjectShape[]): SeenKeys {
  return shapes.reduce((seen, shape) => uniteKeys(seen, shape.seen), UNSEEN_KEYS);
}

/** All elements that any of `shapes` has seen. */
export function seenItems(shapes: readonly ArrayShape[]): SeenItems {
  return shapes.reduce((seen, shape) => uniteItems(seen, shape.seen), UNSEEN_ITEMS);
}

/** `shapes`, each of which has also seen `seen`. */
export function seeAlso(shapes: readonly ObjectShape[], seen: SeenKeys): ObjectShape[] {
  return shapes.map((shape) => ({ ...shape, seen: uniteKeys(shape.seen, seen) }));
}

/** Every scalar of the kind but those in `other`. */
export function complement<T>(other: ScalarSet<T>): ScalarSet<T> {
  return { values: other.values, except: !other.except };
}

function isTooMany(count: number, meets: Meets): boolean {
  if (count > MAX_TYPE_ALTERNATIVES) meets.widened();
  return count > MAX_TYPE_ALTERNATIVES;
}

// One shape for all: of their members those that every one of them requires.
function join(shapes: readonly ObjectShape[], meets: Meets): ObjectShape {
  const members = new Map<string, ShapeMember>();
  for (const [key, { required, docs }] of shapes[0]!.members) {
    const all = shapes.map((shape) => shape.members.get(key));
    if (!required || !all.every((member) => member?.required) || !meets.spend(1)) continue;
    const meet = meets.either(all.map((member) => member!.meet));
    members.set(key, { meet, required, docs });
  }
  return { ...WIDE_OBJECT, members };
}

function intersectScalars<T>(a: ScalarSet<T>, b: ScalarSet<T>): ScalarSet<T> {
  if (a.except && a.values.size === 0) return b;
  if (b.except && b.values.size === 0) return a;
  if (a.except && b.except) return { values: new Set([...a.values, ...b.values]), except: true };
  const [listed, other] = a.except ? [b, a] : [a, b];
  const values = [...listed.values].filter((value) => other.values.has(value) !== other.except);
  return values.length === listed.values.size ? listed : { values: new Set(values), except: false };
}

function uniteScalars<T>(sets: readonly ScalarSet<T>[]): ScalarSet<T> {
  const some = sets.filter((set) => !isNone(set));
  if (some.length === 1) return some[0]!;
  const open = some.find((set) => set.except);
  if (open === undefined) {
    const values = new Set<T>();
    for (const set of some) for (const value of set.values) values.add(value);
    return { values, except: false };
  }
  // What all of them leave out.
  const values = [...open.values].filter((value) =>
    some.every((set) => set.values.has(value) === set.except)
  );
  return { values: new Set(values), except: true };
}

// Every pair's intersection; none when that is too many.
function product<T>(
  a: readonly T[],
  b: readonly T[],
  meet: (a: T, b: T, meets: Meets) => T | undefined,
  meets: Meets,
): readonly T[] | undefined {
  const shapes: T[] = [];
  for (const one of a) {
    for (const other of b) {
      const shape = one === other ? one : meet(one, other, meets);
      if (shape === undefined) continue;
      if (shapes.length === MAX_TYPE_ALTERNATIVES) {
        meets.widened();
        return undefined;
      }
      shapes.push(shape);
    }
  }
  return shapes;
}

function intersectObjects(
  a: ObjectShape,
  b: ObjectShape,
  meets: Meets,
): ObjectShape | undefined {
  const seen = uniteKeys(a.seen, b.seen);
  if (isAnyObject(a)) return b.seen === seen ? b : { ...b, seen };
  if (isAnyObject(b)) return a.seen === seen ? a : { ...a, seen };
  // Copying a member or comparing prefixes costs much less than converting one.
  const copied = a.members.size + b.members.size + a.prefixes.size * b.prefixes.size;
  if (!meets.spend(copied / 16)) return { ...a, seen };
  const members = new Map<string, ShapeMember>();
  for (const [key, member] of a.members) {
    const other = b.members.get(key);
    const meet = meets.both(member.meet, other?.meet ?? extraMeet(b, key, meets));
    const required = member.required || other?.required === true;
    if (required && meets.isNever(meet)) return undefined;
    members.set(key, { meet, required, docs: member.docs ?? other?.docs });
  }
  for (const [key, member] of b.members) {
    if (members.has(key)) continue;
    const meet = meets.both(member.meet, extraMeet(a, key, meets));
    if (member.required && meets.isNever(meet)) return undefined;
    members.set(key, { ...member, meet });
  }
  const prefixes = a.prefixes.size + b.prefixes.size === 0 ? a.prefixes : new Map([
    ...intersectPrefixes(a, b, meets),
    ...intersectPrefixes(b, a, meets),
  ]);
  return { members, prefixes, extras: meets.both(a.extras, b.extras), seen };
}

// The prefixes of `a`, with what `b` asks of keys that have them.
function intersectPrefixes(a: ObjectShape, b: ObjectShape, meets: Meets): [string, Meet][] {
  return [...a.prefixes].map(([prefix, meet]) => {
    // Keys with a longer prefix of `b` are not extras there: then ask nothing more.
    const split = [...b.prefixes.keys()].some((other) =>
      other.startsWith(prefix) && other !== prefix
    );
    return [prefix, split ? meet : meets.both(meet, extraMeet(b, prefix, meets))];
  });
}

function intersectArrays(a: ArrayShape, b: ArrayShape, meets: Meets): ArrayShape | undefined {
  const seen = uniteItems(a.seen, b.seen);
  const length = Math.max(a.items.length, b.items.length);
  if (!meets.spend(length)) return { ...a, seen };
  const items = Array.from(
    { length },
    (_, at) => meets.both(a.items[at] ?? a.rest, b.items[at] ?? b.rest),
  );
  return arrayShape({
    items,
    rest: meets.both(a.rest, b.rest),
    min: Math.max(a.min, b.min),
    max: Math.min(a.max, b.max),
    seen,
  }, meets);
}

function uniteKeys(a: SeenKeys, b: SeenKeys): SeenKeys {
  if (a === b || b === UNSEEN_KEYS || a.all) return a;
  if (a === UNSEEN_KEYS || b.all) return b;
  return { all: false, names: a.names.union(b.names), prefixes: a.prefixes.union(b.prefixes) };
}

function uniteItems(a: SeenItems, b: SeenItems): SeenItems {
  if (a === b || b === UNSEEN_ITEMS) return a;
  if (a === UNSEEN_ITEMS) return b;
  return { count: Math.max(a.count, b.count), matching: a.matching.union(b.matching) };
}
