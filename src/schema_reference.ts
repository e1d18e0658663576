// References inside one schema document: which subschema a `$ref` names, by JSON pointer, anchor
// or `$id`. Looks only into the document: nothing is fetched, and no text is executed.

import { MAX_SCHEMA_URI_CHARS } from "./limits.ts";
import type { JsonObject } from "./server.ts";

/** The rules a schema is written in. */
export type Dialect = "2020-12" | "draft-07";

/** The schema resource a subschema belongs to: what its references start from. */
export interface Scope {
  readonly root: JsonObject;
  /** The resource's URI without a fragment. */
  readonly base: string;
  /** None when the resource is written in a dialect that is not known here. */
  readonly dialect: Dialect | undefined;
}

/** A subschema that a reference names. */
export interface Target {
  readonly schema: unknown;
  readonly scope: Scope;
  /** The last part of its address, for naming a type after it; untrusted. */
  readonly hint: string;
}

// For documents without an `$id`; never shown and never fetched.
const NO_BASE = "schema:///";
// Under these keywords stand values, not schemas.
const VALUE_KEYWORDS = new Set(["const", "enum", "default", "examples"]);

/** The dialect that a `$schema` value stands for, none for one that is not known. */
export function dialectOf(uri: unknown): Dialect | undefined {
  if (typeof uri !== "string") return uri === undefined ? "2020-12" : undefined;
  if (/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/.test(uri)) return "2020-12";
  return /^https?:\/\/json-schema\.org\/draft-07\/schema#?$/.test(uri) ? "draft-07" : undefined;
}

/** The keys on the way that a JSON pointer (RFC 6901) leads. */
export function pointerParts(pointer: string): string[] {
  return pointer.split("/").slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/** The references of one document. */
export class References {
  /** The scope of the document itself. */
  readonly scope: Scope;
  // Most documents have none of these.
  #scopes: Map<JsonObject, Scope> | undefined;
  #resources: Map<string, Target> | undefined;
  #anchors: Map<string, Target> | undefined;

  constructor(root: JsonObject) {
    const scope = { root, base: NO_BASE, dialect: dialectOf(root["$schema"]) };
    this.scope = this.enter(root, scope);
  }

  /** The scope inside `schema` when it stands in `scope`: another one where an `$id` begins it. */
  enter(schema: JsonObject, scope: Scope): Scope {
    const id = schema["$id"];
    if (typeof id !== "string" || id.startsWith("#")) return scope;
    // In draft-07 nothing beside a reference counts.
    if (scope.dialect === "draft-07" && schema["$ref"] !== undefined) return scope;
    this.#scopes ??= new Map();
    let inner = this.#scopes.get(schema);
    if (inner === undefined) {
      const declared = schema["$schema"];
      inner = {
        root: schema,
        base: resolveUri(id, scope.base) ?? scope.base,
        dialect: declared === undefined ? scope.dialect : dialectOf(declared),
      };
      this.#scopes.set(schema, inner);
    }
    return inner;
  }

  /** What `reference` names from `scope`; none when it leaves the document or names nothing. */
  resolve(reference: string, scope: Scope): Target | undefined {
    const hash = reference.indexOf("#");
    const uri = hash < 0 ? reference : reference.slice(0, hash);
    const fragment = hash < 0 ? "" : decode(reference.slice(hash + 1));
    if (fragment === undefined) return undefined;
    if (uri === "" && (fragment === "" || fragment.startsWith("/"))) {
      return walk(this, { schema: scope.root, scope, hint: "" }, fragment);
    }
    const base = uri === "" ? scope.base : resolveUri(uri, scope.base);
    if (base === undefined) return undefined;
    this.#resources ??= this.#index();
    if (fragment !== "" && !fragment.startsWith("/")) {
      return this.#anchors?.get(`${base}#${fragment}`);
    }
    const resource = this.#resources.get(base);
    return resource === undefined ? undefined : walk(this, resource, fragment);
  }

  // Every resource and anchor of the document. An own stack, since nesting may be thousands deep.
  #index(): Map<string, Target> {
    const resources = new Map<string, Target>();
    const stack: { value: JsonObject; scope: Scope }[] = [
      { value: this.scope.root, scope: this.scope },
    ];
    for (let entry = stack.pop(); entry !== undefined; entry = stack.pop()) {
      const { value } = entry;
      const scope = Array.isArray(value) ? entry.scope : this.enter(value, entry.scope);
      if (scope.root === value && !resources.has(scope.base)) {
        const path = scope.base.replace(/(?:\.json|\/)$/, "");
        const hint = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf(":")) + 1);
        resources.set(scope.base, { schema: value, scope, hint });
      }
      for (const key of Object.keys(value).sort()) {
        const child = value[key];
        if (typeof child === "object" && child !== null) {
          if (!VALUE_KEYWORDS.has(key)) stack.push({ value: child as JsonObject, scope });
        } else if (typeof child === "string") this.#addAnchor(key, child, value, scope);
      }
    }
    return resources;
  }

  #addAnchor(key: string, text: string, schema: JsonObject, scope: Scope): void {
    const isAnchor = scope.dialect === "draft-07"
      ? key === "$id" && text.includes("#")
      : key === "$anchor" || key === "$dynamicAnchor";
    if (!isAnchor) return;
    const name = text.slice(text.indexOf("#") + 1);
    const address = `${scope.base}#${name}`;
    this.#anchors ??= new Map();
    if (name !== "" && !this.#anchors.has(address)) {
      this.#anchors.set(address, { schema, scope, hint: name });
    }
  }
}

// Follows a JSON pointer; a resource that begins on the way changes the scope.
function walk(references: References, from: Target, pointer: string): Target | undefined {
  let { schema, scope, hint } = from;
  for (const key of pointerParts(pointer)) {
    if (typeof schema !== "object" || schema === null || !Object.hasOwn(schema, key)) {
      return undefined;
    }
    schema = (schema as JsonObject)[key];
    if (typeof schema === "object" && schema !== null && !Array.isArray(schema)) {
      scope = references.enter(schema as JsonObject, scope);
    }
    if (!/^\d*$/.test(key)) hint = key;
  }
  const isSchema = typeof schema === "boolean" ||
    typeof schema === "object" && schema !== null && !Array.isArray(schema);
  return isSchema ? { schema, scope, hint } : undefined;
}

function decode(fragment: string): string | undefined {
  if (!fragment.includes("%")) return fragment;
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

// The absolute form without its fragment; none where that is long.
function resolveUri(uri: string, base: string): string | undefined {
  if (uri.length > MAX_SCHEMA_URI_CHARS || !URL.canParse(uri, base)) return undefined;
  const url = new URL(uri, base);
  url.hash = "";
  return url.href.length > MAX_SCHEMA_URI_CHARS ? undefined : url.href;
}
