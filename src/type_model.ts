// The type model: what a JSON Schema says, as far as TypeScript types can say it. Strings in it
// are raw, keys byte for byte; only `type_text.ts` escapes. Nothing here is ever a file or a name.

import type { JsonObject } from "./server.ts";

/** A type without parts. `undefined` stands only in the types of index signatures. */
export interface PlainType {
  readonly kind: "unknown" | "never" | "undefined" | "null" | "boolean" | "number" | "string";
}

/** One value of a scalar kind; numbers are finite. */
export interface LiteralType {
  readonly kind: "literal";
  readonly value: string | number | boolean;
}

/** An array of any length. */
export interface ArrayType {
  readonly kind: "array";
  readonly items: TypeNode;
}

/** An array whose first elements have types of their own. */
export interface TupleType {
  readonly kind: "tuple";
  readonly items: readonly TypeNode[];
  /** How many of `items` must be there. */
  readonly required: number;
  /** The type of whatever follows; `never` when nothing may. */
  readonly rest: TypeNode;
}

/** A member of an object, under its wire key. */
export interface Member {
  readonly key: string;
  readonly type: TypeNode;
  readonly optional: boolean;
  /** The schema whose description, default, format and bounds document the member; untrusted. */
  readonly docs: JsonObject | undefined;
}

/** An index signature: of the keys that begin with `prefix`, or of every key without one. */
export interface IndexSignature {
  readonly prefix: string | undefined;
  readonly type: TypeNode;
}

/** An object. Members with a required key come first, then the optional ones sorted by key. */
export interface ObjectType {
  readonly kind: "object";
  readonly members: readonly Member[];
  /** As TypeScript wants them: each covers the types of all members and signatures within it. */
  readonly index: readonly IndexSignature[];
}

/** Any of several types; flat, at least two, no two alike. */
export interface UnionType {
  readonly kind: "union";
  readonly types: readonly TypeNode[];
}

/** A use of a type that may be used more than once. */
export interface ReferenceType {
  readonly kind: "reference";
  readonly to: Definition;
}

/** One type of the model. */
export type TypeNode =
  | PlainType
  | LiteralType
  | ArrayType
  | TupleType
  | ObjectType
  | UnionType
  | ReferenceType;

/** A type that references point to: recursive or shared when it has a name, else in one place. */
export interface Definition {
  /** A valid TypeScript type name, unique in the model ignoring case; none: written in place. */
  readonly name: string | undefined;
  readonly type: TypeNode;
}

/** A schema as types. */
export interface TypeModel {
  readonly root: TypeNode;
  /** The named definitions by name, in a fixed order. */
  readonly definitions: ReadonlyMap<string, TypeNode>;
  /** The name of each definition without the prefix of the model: its name in the schema. */
  readonly localNames: ReadonlyMap<string, string>;
  /** What was widened or not understood: clean single lines, at most a few. */
  readonly warnings: readonly string[];
}

/** What is written where `type` is used: the type itself behind references without a name. */
export function inPlace(type: TypeNode): TypeNode {
  while (type.kind === "reference" && type.to.name === undefined) type = type.to.type;
  return type;
}
