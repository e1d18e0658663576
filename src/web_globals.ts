// The parts of a browser's globals that programs expect and the engine lacks, as source text that
// becomes part of the prelude: console, text encoding, base64, structuredClone, URL, crypto.
// Nothing here guards anything: a program that breaks these breaks only itself.

const CONSOLE = String.raw`
const inspect = (value, depth = 0, seen = []) => {
  if (typeof value === "string") return depth === 0 ? value : stringify(value);
  if (typeof value === "bigint") return value + "n";
  if (typeof value === "symbol") return value.toString();
  if (typeof value === "function") return "[Function " + (value.name || "(anonymous)") + "]";
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : "" + value;
  if (seen.includes(value)) return "[Circular]";
  if (isError(value)) {
    const stack = typeof value.stack === "string" ? value.stack.trimEnd() : "";
    return value.name + ": " + value.message + (stack === "" ? "" : "\n" + stack);
  }
  if (value instanceof Date) return isNaN(value) ? "Invalid Date" : value.toISOString();
  if (value instanceof RegExp) return value.toString();
  if (value instanceof Promise) return "Promise {}";
  const list = isArray(value) || ArrayBuffer.isView(value) && !(value instanceof DataView);
  const name = value.constructor?.name;
  const label = list && !isArray(value) ? name + "(" + value.length + ") "
    : name === undefined || name === "Object" || isArray(value) ? "" : name + " ";
  if (depth > 3) return list ? "[...]" : "{...}";
  const inner = [...seen, value];
  const show = (item) => inspect(item, depth + 1, inner);
  const shown = (items, open, close, total) => {
    if (total > items.length) items.push("... " + (total - items.length) + " more");
    const line = items.join(", ");
    if (items.length === 0) return label + open + close;
    if (line.length <= 72 && !line.includes("\n")) return label + open + " " + line + " " + close;
    const indent = "\n" + "  ".repeat(depth + 1);
    return label + open + indent + items.join("," + indent) + "\n" + "  ".repeat(depth) + close;
  };
  if (list) return shown(Array.from({ length: Math.min(value.length, 100) }, (_, index) =>
    index in value ? show(value[index]) : "<empty>"), "[", "]", value.length);
  if (value instanceof Set) return shown([...value].slice(0, 100).map(show), "{", "}", value.size);
  if (value instanceof Map) {
    return shown([...value].slice(0, 100).map(([key, item]) => show(key) + " => " + show(item)),
      "{", "}", value.size);
  }
  const keys = Reflect.ownKeys(value).filter((key) =>
    getOwnPropertyDescriptor(value, key)?.enumerable);
  return shown(keys.slice(0, 100).map((key) => {
    const own = getOwnPropertyDescriptor(value, key);
    const title = typeof key === "symbol" ? "[" + key.toString() + "]"
      : /^[A-Za-z_$][\w$]*$/.test(key) ? key : stringify(key);
    return title + ": " + (own !== undefined && "value" in own ? show(own.value) : "[Getter]");
  }), "{", "}", keys.length);
};
let indent = "";
const counts = new Map(), clocks = new Map();
const write = (level) => (...values) =>
  emit(level, indent + values.map((value) => inspect(value)).join(" "));
const console = {
  debug: write(0), log: write(1), info: write(1), warn: write(2), error: write(3),
  dir: write(1),
  trace: (...values) => console.log("Trace:", ...values, "\n" + authorFrames(new Error().stack)),
  assert: (fact, ...values) => fact || console.error("Assertion failed:", ...values),
  table: (rows) => {
    if (typeof rows !== "object" || rows === null) return console.log(rows);
    for (const key of Object.keys(rows)) console.log(key + ": " + inspect(rows[key], 1));
  },
  group: (...values) => {
    if (values.length > 0) console.log(...values);
    indent += "  ";
  },
  groupEnd: () => indent = indent.slice(2),
  count: (name = "default") => {
    counts.set(name, (counts.get(name) ?? 0) + 1);
    console.log(name + ": " + counts.get(name));
  },
  time: (name = "default") => clocks.set(name, performance.now()),
  timeEnd: (name = "default") => {
    console.log(name + ": " + (performance.now() - clocks.get(name)).toFixed(1) + " ms");
    clocks.delete(name);
  },
};
console.groupCollapsed = console.group;
`;

const ENCODING = String.raw`
class TextEncoder {
  get encoding() {
    return "utf-8";
  }
  encode(text = "") {
    text = "" + text;
    const room = new Uint8Array(text.length * 3);
    return room.slice(0, this.encodeInto(text, room).written);
  }
  encodeInto(text, bytes) {
    let read = 0, written = 0;
    while (read < text.length) {
      let code = text.codePointAt(read);
      const units = code > 0xffff ? 2 : 1;
      if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
      const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
      if (written + size > bytes.length) break;
      if (size === 1) bytes[written++] = code;
      else {
        bytes[written++] = (0xf00 >> size & 0xff) | code >> 6 * (size - 1);
        for (let left = size - 2; left >= 0; left--) bytes[written++] = 0x80 | code >> 6 * left & 0x3f;
      }
      read += units;
    }
    return { read, written };
  }
}
class TextDecoder {
  #rest = [];
  #begun = false;
  constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
    if (!/^\s*(utf-?8|unicode-1-1-utf-8)\s*$/i.test(label)) {
      throw new RangeError("TextDecoder knows utf-8 only, not " + label);
    }
    this.encoding = "utf-8";
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }
  decode(input = new Uint8Array(), { stream = false } = {}) {
    const view = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    const bytes = this.#rest.length === 0 ? view : Uint8Array.of(...this.#rest, ...view);
    this.#rest = [];
    const units = new Uint16Array(4096);
    let text = "", used = 0, at = 0;
    const push = (code) => {
      if (!this.#begun) {
        this.#begun = true;
        if (code === 0xfeff && !this.ignoreBOM) return;
      }
      if (code > 0xffff) {
        units[used++] = 0xd800 + (code - 0x10000 >> 10);
        code = 0xdc00 + (code - 0x10000 & 0x3ff);
      }
      units[used++] = code;
      if (used > 4090) {
        text += String.fromCharCode.apply(null, units.subarray(0, used));
        used = 0;
      }
    };
    while (at < bytes.length) {
      const first = bytes[at];
      if (first < 0x80) {
        push(first);
        at++;
        continue;
      }
      const size = first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3
        : first >= 0xf0 && first < 0xf5 ? 4 : 0;
      let code = size === 2 ? first & 0x1f : size === 3 ? first & 0x0f : first & 0x07;
      let good = 1;
      for (; good < size && at + good < bytes.length; good++) {
        const next = bytes[at + good];
        const low = good > 1 ? 0x80 : first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
        const high = good > 1 ? 0xbf : first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
        if (next < low || next > high) break;
        code = code << 6 | next & 0x3f;
      }
      if (good < size && at + good === bytes.length && stream) {
        this.#rest = [...bytes.subarray(at)];
        break;
      }
      if (size > 0 && good === size) push(code);
      else if (this.fatal) throw new TypeError("The bytes are not valid utf-8");
      else push(0xfffd);
      at += good;
    }
    if (!stream) this.#begun = false;
    return text + String.fromCharCode.apply(null, units.subarray(0, used));
  }
}
const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const invalidCharacter = (message) => {
  const error = new Error(message);
  error.name = "InvalidCharacterError";
  return error;
};
const btoa = (value) => {
  const text = "" + value;
  const out = [];
  for (let at = 0; at < text.length; at += 3) {
    const a = text.charCodeAt(at), b = text.charCodeAt(at + 1), c = text.charCodeAt(at + 2);
    if (a > 255 || b > 255 || c > 255) {
      throw invalidCharacter("btoa takes characters up to U+00FF: encode the text as utf-8 first");
    }
    out.push(BASE64[a >> 2], BASE64[(a & 3) << 4 | b >> 4],
      at + 1 < text.length ? BASE64[(b & 15) << 2 | c >> 6] : "=",
      at + 2 < text.length ? BASE64[c & 63] : "=");
  }
  return out.join("");
};
const atob = (value) => {
  const text = ("" + value).replace(/[\t\n\f\r ]+/g, "").replace(/={1,2}$/, "");
  if (text.length % 4 === 1 || /[^A-Za-z0-9+/]/.test(text)) {
    throw invalidCharacter("atob needs base64");
  }
  const out = [];
  let bits = 0, held = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const six = code >= 97 ? code - 71 : code >= 65 ? code - 65 : code >= 48 ? code + 4
      : code === 43 ? 62 : 63;
    held = held << 6 | six;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push(String.fromCharCode(held >> bits & 255));
    }
    held &= 0xff;
  }
  return out.join("");
};
`;

const CLONE = String.raw`
const structuredClone = (root) => {
  const done = new Map();
  const refuse = (value) => {
    const error = new Error(inspect(value, 1) + " could not be cloned");
    error.name = "DataCloneError";
    return error;
  };
  const copy = (value) => {
    if (typeof value === "function" || typeof value === "symbol") throw refuse(value);
    if (typeof value !== "object" || value === null) return value;
    if (done.has(value)) return done.get(value);
    const keep = (made) => {
      done.set(value, made);
      return made;
    };
    if (value instanceof Date) return keep(new Date(value.getTime()));
    if (value instanceof RegExp) return keep(new RegExp(value.source, value.flags));
    if (value instanceof ArrayBuffer) return keep(value.slice(0));
    if (ArrayBuffer.isView(value)) {
      const { constructor, byteOffset, length, byteLength } = value;
      return keep(new constructor(copy(value.buffer), byteOffset, length ?? byteLength));
    }
    if (value instanceof Map) {
      const made = keep(new Map());
      for (const [key, item] of [...value]) made.set(copy(key), copy(item));
      return made;
    }
    if (value instanceof Set) {
      const made = keep(new Set());
      for (const item of [...value]) made.add(copy(item));
      return made;
    }
    if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet ||
      value instanceof WeakRef) throw refuse(value);
    if (isError(value)) {
      const known = [EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError];
      const made = keep(new (known.find((type) => type.name === value.name) ?? Error)(value.message));
      put(made, "stack", value.stack, true);
      if ("cause" in value) put(made, "cause", copy(value.cause), true);
      return made;
    }
    const made = keep(isArray(value) ? new Array(value.length) : {});
    for (const key of Object.keys(value)) element(made, key, copy(value[key]));
    return made;
  };
  return copy(root);
};
`;

const URLS = String.raw`
const formText = (text) =>
  encodeURIComponent(text.toWellFormed()).replace(/[!'()~]/g, (char) =>
    "%" + char.charCodeAt(0).toString(16).toUpperCase()).replaceAll("%20", "+");
const plainText = (text) => {
  const bytes = new TextEncoder().encode(text.replaceAll("+", " "));
  const out = new Uint8Array(bytes.length);
  let used = 0;
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === 37 ? String.fromCharCode(bytes[at + 1], bytes[at + 2]) : "";
    if (/^[0-9a-f]{2}$/i.test(hex)) {
      out[used++] = parseInt(hex, 16);
      at += 2;
    } else out[used++] = bytes[at];
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(out.subarray(0, used));
};
const linkParams = Symbol("link");
class URLSearchParams {
  #pairs = [];
  #changed = undefined;
  constructor(init = "") {
    if (typeof init === "object" && init !== null) {
      const pairs = typeof init[Symbol.iterator] === "function" ? [...init] : Object.entries(init);
      for (const pair of pairs) {
        const [name, value, ...rest] = pair;
        if (value === undefined || rest.length > 0) throw new TypeError("A pair needs two parts");
        this.#pairs.push(["" + name, "" + value]);
      }
    } else this.#read("" + init);
  }
  #read(text) {
    this.#pairs = text.replace(/^\?/, "").split("&").filter((part) => part !== "").map((part) => {
      const at = part.indexOf("=");
      return at < 0 ? [plainText(part), ""] : [plainText(part.slice(0, at)), plainText(part.slice(at + 1))];
    });
  }
  #write(pairs) {
    this.#pairs = pairs;
    this.#changed?.(this.toString());
  }
  [linkParams](text, changed) {
    this.#changed = changed;
    this.#read(text);
  }
  get size() {
    return this.#pairs.length;
  }
  append(name, value) {
    this.#write([...this.#pairs, ["" + name, "" + value]]);
  }
  delete(name, value) {
    this.#write(this.#pairs.filter((pair) =>
      pair[0] !== "" + name || value !== undefined && pair[1] !== "" + value));
  }
  get(name) {
    return this.#pairs.find((pair) => pair[0] === "" + name)?.[1] ?? null;
  }
  getAll(name) {
    return this.#pairs.filter((pair) => pair[0] === "" + name).map((pair) => pair[1]);
  }
  has(name, value) {
    return this.#pairs.some((pair) =>
      pair[0] === "" + name && (value === undefined || pair[1] === "" + value));
  }
  set(name, value) {
    const at = this.#pairs.findIndex((pair) => pair[0] === "" + name);
    if (at < 0) return this.append(name, value);
    this.#write(this.#pairs.flatMap((pair, index) =>
      index === at ? [["" + name, "" + value]] : pair[0] === "" + name ? [] : [pair]));
  }
  sort() {
    this.#write([...this.#pairs].sort((a, b) => a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  }
  forEach(visit, self) {
    for (const [name, value] of this) visit.call(self, value, name, this);
  }
  *entries() {
    for (let at = 0; at < this.#pairs.length; at++) yield [...this.#pairs[at]];
  }
  *keys() {
    for (const [name] of this.entries()) yield name;
  }
  *values() {
    for (const [, value] of this.entries()) yield value;
  }
  [Symbol.iterator]() {
    return this.entries();
  }
  toString() {
    return this.#pairs.map(([name, value]) => formText(name) + "=" + formText(value)).join("&");
  }
}
// The host parses: its parser is complete, and text is all that goes there and comes back.
const parseUrl = (...parts) => {
  const answer = host(9, 0, stringify(parts));
  return answer === undefined ? undefined : parse(answer);
};
class URL {
  #parts;
  #params;
  constructor(url, base) {
    this.#parts = parseUrl("" + url, base === undefined ? null : "" + base);
    if (this.#parts === undefined) throw new TypeError("Invalid URL: " + url);
  }
  static canParse(url, base) {
    return parseUrl("" + url, base === undefined ? null : "" + base) !== undefined;
  }
  static parse(url, base) {
    return URL.canParse(url, base) ? new URL(url, base) : null;
  }
  static {
    const parts = ["href", "protocol", "username", "password", "host", "hostname", "port", "pathname",
      "search", "hash"];
    for (const part of parts) {
      Object.defineProperty(URL.prototype, part, {
        enumerable: true,
        configurable: true,
        get() {
          return this.#parts[part];
        },
        set(value) {
          const changed = parseUrl(this.#parts.href, part, "" + value);
          if (changed === undefined) throw new TypeError("Invalid URL: " + value);
          this.#parts = changed;
          this.#link();
        },
      });
    }
  }
  #link() {
    this.#params?.[linkParams](this.#parts.search, (query) => {
      this.#parts = parseUrl(this.#parts.href, "search", query);
    });
  }
  get origin() {
    return this.#parts.origin;
  }
  get searchParams() {
    if (this.#params === undefined) {
      this.#params = new URLSearchParams();
      this.#link();
    }
    return this.#params;
  }
  toString() {
    return this.#parts.href;
  }
  toJSON() {
    return this.#parts.href;
  }
}
`;

const CRYPTO = String.raw`
const randomBytes = (count) => {
  const hex = host(10, count, "");
  return Array.from({ length: count }, (_, at) => parseInt(hex.slice(at * 2, at * 2 + 2), 16));
};
const crypto = {
  getRandomValues: (view) => {
    if (!ArrayBuffer.isView(view) || view.byteLength > 65536) {
      throw new TypeError("getRandomValues fills a typed array of at most 65536 bytes");
    }
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength).set(randomBytes(view.byteLength));
    return view;
  },
  randomUUID: () => {
    const bytes = randomBytes(16);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [0, 8, 12, 16, 20].map((at, index, all) => hex.slice(at, all[index + 1])).join("-");
  },
};
const performance = { now: () => +host(11, 0, "") };
const web = { console, TextEncoder, TextDecoder, atob, btoa, structuredClone, URL, URLSearchParams,
  crypto, performance };
for (const name of Object.keys(web)) put(globalThis, name, web[name], true);
`;

/** Statements of the prelude that need its `host`, `emit`, `put`, `element` and `authorFrames`. */
export const WEB_GLOBALS = CONSOLE + ENCODING + CLONE + URLS + CRYPTO;
