// The guest's side of the host functions, as source text that runs in a fresh engine before any
// program: it keeps pristine intrinsics, so that nothing a program replaces changes a call's answer.
// Nothing here is a gate: the host checks every kind, size and number by itself.

import { MAX_LOG_BYTES } from "./limits.ts";
import { WEB_GLOBALS } from "./web_globals.ts";

/** The name of the prelude in stack traces. */
export const PRELUDE_NAME = "mcp:prelude";
/** The module that the prelude imports: it has the program's namespace as `main`. */
export const ENTRY_MODULE = "mcp:entry";

/** What the prelude asks of the host, as the number it calls with. */
export const ToHost = {
  /** `id` of the call, `NAME [arguments]`; answers a refusal as JSON or undefined. */
  call: 1,
  /** 1 with the result's JSON, 0 without a result, 2 when the program has no such export. */
  done: 2,
  /** JSON of `GuestFailure`. */
  fail: 3,
  /** Index of the level, JSON of the text. */
  log: 4,
  /** `id` of the timer, milliseconds. */
  timer: 5,
  clearTimer: 6,
  /**
   * JSON of a path; answers `=` and the raw text, `"` and a JSON string, `!` and a message, or `?`
   * where a call of that name has to be made.
   */
  readFile: 7,
  listFiles: 8,
  /** JSON `[url, base]` or `[url, part, value]`; answers the parts as JSON, or undefined. */
  url: 9,
  /** `id` bytes, answered in hexadecimal. */
  random: 10,
  /** Milliseconds since the start. */
  now: 11,
  /** JSON of a warning about the result. */
  warn: 12,
  /** JSON of `GuestFailure`: what a promise was rejected with that nobody handled. */
  unhandled: 13,
} as const;

/** What the host tells the prelude. */
export const ToGuest = {
  /** JSON `{entry, args}` and 53 random bits as `id`: import the program and report its result. */
  start: 1,
  /** `id` of a call with its answer's JSON, empty for undefined. */
  answer: 2,
  /** `id` of a call with JSON of `CallFailure`. */
  refuse: 3,
  /** `id` of a timer that is due. */
  timer: 4,
  /** What a promise was rejected with that nobody handled: a value, not a text. */
  unhandled: 5,
} as const;

/** The host functions that ask a server: each counts as a call. */
export const SERVER_CALLS: ReadonlySet<string> = new Set(
  ["callTool", "readResource", "listResources", "getPrompt"],
);

/** The levels of log lines, by index. */
export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;

/** How the prelude describes what a program threw; all of it is the guest's text. */
export interface GuestFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  /** Whether it is no Error: `message` then shows the value. */
  readonly plain: boolean;
  /** The call this error came from, 0 for an error of the program's own. */
  readonly call: number;
  /** Whether the engine itself made it: no memory, no stack, an interrupt. */
  readonly internal: boolean;
}

/** What a program can see of a call that failed. */
export interface CallFailure {
  readonly message: string;
  readonly kind: string;
  readonly hint?: string;
  /** Blocks that the call gave all the same. */
  readonly content?: readonly unknown[];
}

/** The module of the host's functions. */
export const HOST_MODULE = "mcp:host";

/** The modules that the prelude loads, before a program could change the globals they take. */
export const BUILT_INS: ReadonlyMap<string, string> = new Map([[
  HOST_MODULE,
  `const { callTool, callTools, readResult, readResource, listResources, getPrompt, readFile, listFiles,
writeFile, searchTools, getState, setState, log, ToolError } = globalThis;
export { callTool, callTools, readResult, readResource, listResources, getPrompt, readFile, listFiles,
writeFile, searchTools, getState, setState, log, ToolError };`,
]]);

const CORE = String.raw`
const { parse, stringify } = JSON;
const { apply, defineProperty, getOwnPropertyDescriptor } = Reflect;
const freeze = Object.freeze, isArray = Array.isArray, hasOwn = Object.hasOwn;
const PromiseCtor = Promise, ErrorCtor = Error, TypeErrorCtor = TypeError, WeakMapCtor = WeakMap;
const InternalErrorCtor = InternalError, MapCtor = Map, SetCtor = Set;
const uncurry = (method) => (self, ...rest) => apply(method, self, rest);
const then = uncurry(PromiseCtor.prototype.then);
const slice = uncurry(String.prototype.slice), indexOf = uncurry(String.prototype.indexOf);
const remember = uncurry(WeakMapCtor.prototype.set), recall = uncurry(WeakMapCtor.prototype.get);
const isError = (value) => value instanceof ErrorCtor;

const put = (target, key, value, open) =>
  defineProperty(target, key,
    { __proto__: null, value, writable: open, configurable: open, enumerable: false });
const element = (array, index, value) =>
  defineProperty(array, index,
    { __proto__: null, value, writable: true, configurable: true, enumerable: true });
// A promise of our own whose "then" must not consult what a program did to Promise.
const own = (promise) => {
  put(promise, "constructor", undefined, false);
  return promise;
};
const immediate = (make) => new PromiseCtor((resolve) => resolve(make()));
const needText = (value, what) => {
  if (typeof value !== "string") throw new TypeErrorCtor(what + " must be a string");
  return stringify(value);
};

class ToolError extends ErrorCtor {
  constructor(message) {
    super(message);
  }
  // An error as part of a result would be {} otherwise.
  toJSON() {
    const { name, message, kind, server, tool, hint } = this;
    return { name, message, kind, server, tool, hint };
  }
}
put(ToolError.prototype, "name", "ToolError", false);
freeze(ToolError);
freeze(ToolError.prototype);

const pending = { __proto__: null };
const origins = new WeakMapCtor();
let lastCall = 0;

// The frames of the author's code, without ours on top.
const authorFrames = (stack) => {
  for (let end; (end = indexOf(stack, "\n")) >= 0; stack = slice(stack, end + 1)) {
    if (indexOf(slice(stack, 0, end), "${PRELUDE_NAME}") < 0) break;
  }
  return stack;
};
const toError = (text, call) => {
  const failure = parse(text);
  const error = call.tool === undefined
    ? new ErrorCtor(failure.message)
    : new ToolError(failure.message);
  put(error, "stack", authorFrames(call.site), true);
  put(error, "kind", failure.kind, true);
  if (call.tool !== undefined) {
    put(error, "server", call.server, true);
    put(error, "tool", call.tool, true);
  }
  if (failure.hint !== undefined) put(error, "hint", failure.hint, true);
  if (failure.content !== undefined) put(error, "content", failure.content, true);
  return error;
};
const ask = (name, json, server, tool) => {
  const site = new ErrorCtor().stack;
  return new PromiseCtor((resolve, reject) => {
    const id = ++lastCall;
    const call = { __proto__: null, resolve, reject, site, server, tool };
    const refusal = host(${ToHost.call}, id, name + " " + json);
    if (refusal === undefined) pending[id] = call;
    else reject(toError(refusal, call));
  });
};
const rejected = (error) => new PromiseCtor((_, reject) => reject(error));

const needJson = (value, what) => {
  const json = stringify(value);
  if (json === undefined) throw new TypeErrorCtor(what + " must be JSON");
  return json;
};
const callTool = (server, tool, params, options) => {
  try {
    const names = needText(server, "callTool: server") + "," + needText(tool, "callTool: tool");
    if (params === undefined || params === null) params = {};
    if (typeof params !== "object" || isArray(params)) {
      throw new TypeErrorCtor("callTool: params must be an object");
    }
    const json = needJson(params, "callTool: params");
    const rest = options === undefined ? "" : "," + needJson(options, "callTool: options");
    return ask("callTool", "[" + names + "," + json + rest + "]", server, tool);
  } catch (error) {
    return rejected(error);
  }
};
const callTools = (items, options) => new PromiseCtor((resolve, reject) => {
  if (!isArray(items)) throw new TypeErrorCtor("callTools: items must be an array");
  const count = items.length;
  const wide = options?.concurrency ?? count;
  if (count > 0 && !(wide >= 1)) throw new TypeErrorCtor("callTools: concurrency must be 1 or more");
  const results = { __proto__: null };
  let next = 0, left = count, stopped = false;
  const finish = () => {
    const list = [];
    for (let index = 0; index < count; index++) element(list, index, results[index]);
    resolve(list);
  };
  const settle = (index, result) => {
    results[index] = result;
    if (!result.ok && options?.stopOnError) stopped = true;
    left--;
    begin();
    if (left === 0) finish();
  };
  const begin = () => {
    for (; stopped && next < count; left--) {
      results[next++] = { ok: false, error: new ToolError("Not called: an earlier call failed") };
    }
  };
  const start = () => {
    if (next >= count) return;
    const index = next++, item = items[index];
    const done = (result) => {
      settle(index, result);
      start();
    };
    const answer = callTool(item?.server, item?.tool, item?.params);
    then(own(answer), (value) => done({ ok: true, value }), (error) => done({ ok: false, error }));
  };
  if (count === 0) finish();
  for (let lane = 0; lane < wide && next < count; lane++) start();
});
const answered = (kind, name, path) => {
  try {
    const json = needText(path, name + ": path");
    const answer = host(kind, 0, json);
    if (answer[0] === "?") return ask(name, "[" + json + "]");
    const body = slice(answer, 1);
    if (answer[0] === "!") throw new ErrorCtor(parse(body));
    const value = answer[0] === "=" ? body : parse(body);
    return new PromiseCtor((resolve) => resolve(value));
  } catch (error) {
    return rejected(error);
  }
};
const readFile = (path) => answered(${ToHost.readFile}, "readFile", path);
const listFiles = (path) => answered(${ToHost.listFiles}, "listFiles", path);
const request = (name, makeJson) => {
  try {
    return ask(name, "[" + makeJson() + "]");
  } catch (error) {
    return rejected(error);
  }
};
// A text, or what stands for a result that the host keeps.
const needContent = (value, what) =>
  typeof value === "object" && value !== null ? needJson(value, what) : needText(value, what);
const writeFile = (path, text) =>
  request("writeFile", () =>
    needText(path, "writeFile: path") + "," + needContent(text, "writeFile: text"));
const readResult = (handle, slice) =>
  request("readResult", () =>
    needContent(handle, "readResult: handle") + "," + (stringify(slice) ?? "null"));
const readResource = (server, uri) =>
  request("readResource", () =>
    needText(server, "readResource: server") + "," + needText(uri, "readResource: uri"));
const listResources = (server, options) =>
  request("listResources", () =>
    needText(server, "listResources: server") + "," + (stringify(options) ?? "null"));
const getPrompt = (server, name, args) =>
  request("getPrompt", () =>
    needText(server, "getPrompt: server") + "," + needText(name, "getPrompt: name") + "," +
    needJson(args ?? {}, "getPrompt: args"));
const searchTools = (query, options) => {
  try {
    const json = needText(query, "searchTools: query") + "," + (stringify(options ?? {}) ?? "{}");
    return ask("searchTools", "[" + json + "]");
  } catch (error) {
    return rejected(error);
  }
};
const getState = (key) => {
  try {
    return ask("getState", "[" + needText(key, "getState: key") + "]");
  } catch (error) {
    return rejected(error);
  }
};
const setState = (key, value) => {
  try {
    const json = stringify(value);
    if (json === undefined) throw new TypeErrorCtor("setState: value must be JSON");
    return ask("setState", "[" + needText(key, "setState: key") + "," + json + "]");
  } catch (error) {
    return rejected(error);
  }
};
const emit = (level, text) => {
  host(${ToHost.log}, level, stringify(slice("" + text, 0, ${MAX_LOG_BYTES})));
};
const log = (level, message) => {
  const index = level === "debug" ? 0 : level === "info" ? 1 : level === "warn" ? 2
    : level === "error" ? 3 : -1;
  if (index < 0) throw new TypeErrorCtor("log: level must be debug, info, warn or error");
  emit(index, typeof message === "string" ? message : inspect(message));
};

const asText = (value) => {
  const text = typeof value === "string" ? value : value === undefined ? "" : "" + value;
  return text.length > 8192 ? slice(text, 0, 8192) : text;
};
const describe = (error, prefix) => {
  let name = "", message = "", stack = "", call = 0, internal = false, plain = false;
  try {
    const isObject = typeof error === "object" ? error !== null : typeof error === "function";
    if (isObject) call = recall(origins, error) ?? 0;
    plain = !(isObject && isError(error));
    if (!plain) {
      internal = error instanceof InternalErrorCtor;
      name = asText(error.name);
      message = asText(error.message);
      stack = asText(error.stack);
      if (name === "" && message === "") name = "Error";
    } else if (typeof error === "string") message = stringify(asText(error));
    else message = asText(isObject || typeof error === "symbol" ? inspect(error) : "" + error);
  } catch {
    name = stack = "";
    plain = true;
    message = "an unprintable error";
  }
  if (!internal && call === 0 && prefix !== "") {
    message = prefix + message;
    plain = false;
  }
  return '{"name":' + stringify(name) + ',"message":' + stringify(message) + ',"stack":' +
    stringify(stack) + ',"plain":' + plain + ',"call":' + call + ',"internal":' + internal + "}";
};
const fail = (error, prefix = "") => {
  host(${ToHost.fail}, 0, describe(error, prefix));
};
const warn = (text) => {
  host(${ToHost.warn}, 0, stringify(text));
};
// Optional parameters count, too: that one is missing is only told where the call went wrong.
let lacksArgs = false;
const failPlainly = (error) => {
  if (lacksArgs) warn("The program takes a parameter, and no args were given");
  fail(error);
};
const report = (value) => {
  let json;
  try {
    json = stringify(value);
  } catch (error) {
    return fail(error, "The result is not JSON: ");
  }
  if (typeof value === "symbol" || typeof value === "function") {
    warn("The result is a " + typeof value + ", which JSON cannot hold: there is no result");
  } else if (typeof value === "number" && json === "null") {
    warn("The result is " + value + ", which JSON cannot hold: it became null");
  } else if (json === "{}") {
    const kind = value instanceof MapCtor ? "Map" : value instanceof SetCtor ? "Set"
      : isError(value) ? "Error" : undefined;
    if (kind !== undefined) warn("The result is of class " + kind + ", which JSON shows as {}");
  }
  host(${ToHost.done}, json === undefined ? 0 : 1, json === undefined ? "" : json);
};
const awaitResult = (value) => {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") {
    return report(value);
  }
  try {
    // A promise of the engine, whatever a program did to Promise.prototype.
    return void then(value, report, failPlainly);
  } catch {
    then(own(new PromiseCtor((resolve) => resolve(value))), report, failPlainly);
  }
};
// The engine's own generator would repeat itself: engines start from copies of one memory. This one
// (xorshift128) works on 32 bit integers alone, so that its fuel does not depend on its numbers.
const seedRandom = (seed) => {
  let x = seed | 0, y = seed / 4294967296 | 0, z = 362436069, w = 88675123;
  const next = () => {
    const t = x ^ x << 11;
    x = y;
    y = z;
    z = w;
    return w = w ^ w >> 19 & 0x1fff ^ t ^ t >> 8 & 0xffffff;
  };
  for (let round = 0; round < 16; round++) next();
  put(Math, "random", () =>
    ((next() >> 5 & 0x7ffffff) * 67108864 + (next() >> 6 & 0x3ffffff)) / 9007199254740992, true);
};
const start = (seed, { entry, args }) => {
  seedRandom(seed);
  then(own(import("${ENTRY_MODULE}")), ({ main }) => {
    let value;
    try {
      if (!hasOwn(main, entry)) {
        // One by one: how a list is written is what a program said of lists.
        let names = "";
        for (const name in main) names += (names === "" ? "" : ",") + stringify(name);
        return void host(${ToHost.done}, 2, "[" + names + "]");
      }
      value = main[entry];
      if (typeof value === "function") {
        lacksArgs = args.length === 0 && value.length > 0;
        value = apply(value, undefined, args);
      }
    } catch (error) {
      return failPlainly(error);
    }
    awaitResult(value);
  }, failPlainly);
};

const timers = { __proto__: null };
let lastTimer = 0;
const addTimer = (run, ms, args, repeat) => {
  if (typeof run !== "function") throw new TypeErrorCtor("A timer needs a function");
  const delay = +ms > 0 ? +ms : 0;
  const id = ++lastTimer;
  timers[id] = { __proto__: null, run, args, repeat, delay };
  host(${ToHost.timer}, id, "" + delay);
  return id;
};
const clearTimer = (id) => {
  if (timers[id] === undefined) return;
  delete timers[id];
  host(${ToHost.clearTimer}, +id, "");
};
const fire = (id) => {
  const timer = timers[id];
  if (timer === undefined) return;
  if (timer.repeat) host(${ToHost.timer}, id, "" + timer.delay);
  else delete timers[id];
  try {
    apply(timer.run, undefined, timer.args);
  } catch (error) {
    fail(error);
  }
};
const settled = own(immediate(() => undefined));

const receive = (kind, id, text) => {
  if (kind === ${ToGuest.start}) return start(id, parse(text));
  if (kind === ${ToGuest.timer}) return fire(id);
  if (kind === ${ToGuest.unhandled}) return void host(${ToHost.unhandled}, 0, describe(text, ""));
  const call = pending[id];
  if (call === undefined) return;
  delete pending[id];
  try {
    if (kind === ${ToGuest.answer}) return call.resolve(text === "" ? undefined : parse(text));
    const error = toError(text, call);
    remember(origins, error, id);
    call.reject(error);
  } catch (error) {
    call.reject(error);
  }
};

const api = {
  callTool, callTools, readResult, readResource, listResources, getPrompt, readFile, listFiles,
  writeFile, searchTools, getState, setState, log,
};
for (const name of Object.keys(api)) put(globalThis, name, freeze(api[name]), false);
put(globalThis, "ToolError", ToolError, false);
const globals = {
  setTimeout: (run, ms, ...args) => addTimer(run, ms, args, false),
  setInterval: (run, ms, ...args) => addTimer(run, ms, args, true),
  clearTimeout: clearTimer,
  clearInterval: clearTimer,
  queueMicrotask: (run) => {
    if (typeof run !== "function") throw new TypeErrorCtor("queueMicrotask needs a function");
    then(settled, () => {
      try {
        run();
      } catch (error) {
        fail(error);
      }
    });
  },
  fetch: () => {
    throw new TypeErrorCtor("fetch is not available here: call a tool, callTool(server, tool, params)");
  },
  require: () => {
    throw new TypeErrorCtor('require is not available here: import { tool } from "mcp:SERVER"');
  },
};
for (const name of Object.keys(globals)) put(globalThis, name, globals[name], true);
delete globalThis.SharedArrayBuffer;
`;

/** The source of the function that the engine starts with. */
export const PRELUDE =
  `(function (host) {\n"use strict";\n${CORE}\n${WEB_GLOBALS}\nvoid import("${HOST_MODULE}");\nreturn receive;\n})`;
