// deno-lint-ignore-file no-console
// Makes the bundle that is shipped: split and minified modules, the worker's entry, and the engine
// with its metering done. Fails when a file would not run elsewhere or the budgets are overspent.

import ts from "typescript";
import { prepareEngine, readStockEngine } from "../src/asset.ts";
import { captureImage } from "../src/engine.ts";
import { encodeImage } from "../src/engine_image.ts";
import { DEFAULT_RUN_LIMITS, GUEST_STACK_BYTES } from "../src/limits.ts";
import { BUILT_INS, PRELUDE, PRELUDE_NAME } from "../src/prelude.ts";
import { RUN_FLAGS } from "./test.ts";

/** Has every function compiled when its file is: only so does Deno keep what it compiled. */
export const COMPILE_ALL = ",--no-lazy";

/** Flags that the bundle is run with wherever Deno itself runs it: nothing outside it is looked up. */
export const BUNDLE_FLAGS: readonly string[] = [
  ...["--no-config", "--no-npm", "--no-remote", "--cached-only", "--no-lock", "--no-prompt"],
  // Else Deno wipes the line of a terminal for each file that it loads: a question, or progress.
  "--quiet",
  // Without it every file is read and analysed before the first line runs.
  "--unstable-lazy-dynamic-imports",
  "--unstable-worker-options",
  `--v8-flags=${v8Flags()}`,
];

function v8Flags(): string {
  const stack = RUN_FLAGS.find((flag) => flag.startsWith("--v8-flags="))!;
  return [
    stack.slice("--v8-flags=".length),
    // Otherwise the first few hundred steps of a program set a core to optimizing the interpreter,
    // which takes longer than most programs run.
    "--wasm-tiering-budget=200000000",
    // No command then collects garbage while it starts.
    "--min-semi-space-size=8",
  ].join() + COMPILE_ALL;
}

/** The permissions of the program; a command gives back those it does not need. */
export const PERMISSION_FLAGS: readonly string[] = [
  ...["--allow-read", "--allow-write", "--allow-net", "--allow-env", "--allow-run", "--allow-sys"],
];

/** A file of the bundle by its path below the bundle's folder, with `/` on every system. */
export interface BuiltFile {
  readonly path: string;
  readonly bytes: number;
}

const ROOT = new URL("../", import.meta.url);
const ENTRIES = ["main.js", "src/guest.js"];

// What is downloaded, what is read before `--version` is answered, and what every other command
// reads: grown without intent, these make the program slow.
const BUDGETS = { total: 3_200_000, version: 1_100, commandLine: 45_000 };

/**
 * Builds into the folder `out` (`dist` of the checkout by default), which is replaced, and gives its
 * files sorted by path. The same sources give the same bytes. Throws when a bundler fails, a file
 * holds a path of this machine, or a budget is overspent.
 */
export async function build(options: { out?: string } = {}): Promise<{ files: BuiltFile[] }> {
  const out = options.out ?? toPath(new URL("dist", ROOT));
  const work = await Deno.realPath(await Deno.makeTempDir());
  try {
    const engine = await prepareEngine(await readStockEngine());
    const image = await makeImage(engine);
    const swapped = new Map([["loader.ts", LOADER], ["prepared.ts", await prepared(image)]]);
    for (const [name, text] of swapped) await Deno.writeTextFile(`${work}/${name}`, text);
    await Deno.writeTextFile(`${work}/import_map.json`, await importMap(work, swapped.keys()));
    // In one pass with --minify, CommonJS packages are left asking for `require` at start.
    await bundle(["main.ts", "src/guest.ts"], {
      cwd: toPath(ROOT),
      flags: ["--import-map", `${work}/import_map.json`, "--outdir", `${work}/whole`],
    });
    await layOut(`${work}/whole`);
    await bundle(["whole/main.js"], { cwd: work, flags: [...MINIFY, "--outdir", `${work}/dist`] });
    // Apart, so that the worker reads one file.
    await bundle(["whole/src/guest.js"], {
      cwd: work,
      flags: [...MINIFY, "--outdir", `${work}/dist/src`],
    });
    const texts = loadDirectly(await readTexts(`${work}/dist`));
    // Throws where one asks for a file that is not there.
    for (const entry of ENTRIES) reachableFrom(entry, texts);
    await writeTexts(`${work}/dist`, texts);
    await Deno.writeFile(`${work}/dist/quickjs.wasm`, engine);
    await Deno.writeFile(`${work}/dist/prelude.bin`, image);
    checkTexts(texts, [work, ...await machinePaths()]);
    const files = await listFiles(`${work}/dist`);
    checkBudgets(files, texts);
    await replaceFolder(`${work}/dist`, { target: out, files });
    return { files };
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

// The package hides its browser glue, and a bundle has no package folder to look into.
const LOADER = `import glue from "mcp-exec-engine-glue";
import { QuickJSFFI } from "@jitl/quickjs-wasmfile-release-sync/ffi";
export const loadGlue = () => Promise.resolve({ glue, functions: QuickJSFFI });
`;

async function makeImage(engine: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const module = await WebAssembly.compile(engine);
  const { now } = Date;
  // The engine seeds its random numbers with the time; each run seeds them anew.
  Date.now = () => 0;
  try {
    const image = await captureImage({
      module,
      stack: GUEST_STACK_BYTES,
      prelude: PRELUDE,
      preludeName: PRELUDE_NAME,
      builtIns: BUILT_INS,
    }, DEFAULT_RUN_LIMITS.memory);
    return encodeImage(image);
  } finally {
    Date.now = now;
  }
}

async function prepared(image: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", image));
  return `export const IMAGE_SHA256 = "${digest.toHex()}";
export const V8_FLAGS = "${v8Flags()}";
`;
}

async function importMap(folder: string, swapped: Iterable<string>): Promise<string> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const wasm = import.meta.resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
  const folders = Object.entries<string>(imports).map(([name, target]) =>
    [`${name}/`, `${target.replace(/^npm:/, "npm:/")}/`] as const
  );
  return JSON.stringify({
    imports: {
      ...imports,
      ...Object.fromEntries(folders),
      "mcp-exec-engine-glue": new URL("emscripten-module.browser.mjs", wasm).href,
      ...Object.fromEntries(
        [...swapped].map((
          name,
        ) => [new URL(`src/${name}`, ROOT).href, toUrl(`${folder}/${name}`).href]),
      ),
    },
  });
}

/**
 * All that these modules import goes into one file, from which others take what they share with
 * them, because each file that is read costs more than what stands in it. What `lean` modules load
 * stays apart: the Tab key and every command need them.
 */
const TOGETHER: readonly { readonly parts: readonly string[]; readonly lean: readonly string[] }[] =
  [
    { parts: ["cli"], lean: [] },
    {
      // What commands need that start no server.
      parts: ["command_run", "servers", "search"],
      lean: ["executor", "daemon_client"],
    },
    { parts: ["call", "execute", "session"], lean: ["complete", "executor", "daemon_client"] },
  ];

/**
 * Prepares the files of the first pass for the second: names that do not depend on where this
 * machine keeps packages, and modules that belong together joined.
 */
async function layOut(folder: string): Promise<void> {
  const texts = await readTexts(folder);
  const names = nameFiles(texts);
  const renamed = new Map<string, string>();
  for (const [path, text] of texts) {
    const plain = text
      // The names of CommonJS modules are where they lie in the cache.
      .replace(/"[^"\n]*\/npm\/[^/"\n]+\/([^"\n]+)"(?=\()/g, '"$1"')
      .replace(
        SPECIFIER,
        (whole, start, dots, file) =>
          names.has(file) ? `${start}"${dots}${names.get(file)}"` : whole,
      );
    renamed.set(names.get(path)!, plain);
  }
  const entries = new Set([...renamed.values()].flatMap((text) => importsOf(text, "later")));
  const separate = new Map(renamed);
  const joined = new Set(loadedBy(["main.js"], separate));
  for (const [index, { parts, lean }] of TOGETHER.entries()) {
    const whole = loadedBy(parts.map(toFile), separate).filter((file) => !joined.has(file));
    const apart = new Set(lean.flatMap((part) => reachableFrom(toFile(part), separate)));
    const sharing = [...entries].filter((entry) =>
      !apart.has(entry) && loadedBy([entry], separate).some((file) => whole.includes(file))
    );
    renamed.set(`together${index}.js`, parts.map((part) => `import "./${part}.js";\n`).join(""));
    for (const entry of sharing) {
      renamed.set(entry, `import "./together${index}.js";\n${renamed.get(entry)}`);
    }
    for (const file of whole) joined.add(file);
  }
  await writeTexts(folder, renamed);
}

// What the bundler makes of a module that shares its file with others: names to hand on, nothing else.
const FACADE =
  /^import\{([\w$, ]+)\}from"\.\/([\w-]+\.js)";((?:import"[^"]+";)*)export\{([\w$, ]+)\};\s*$/;

/**
 * The files of a minified bundle, made to load nothing for nothing, because to read a file is much
 * of a start: neither one for effects that it has not, nor a facade instead of what stands behind it.
 */
export function loadDirectly(texts: ReadonlyMap<string, string>): Map<string, string> {
  const idle = new Set([...texts].filter(([, text]) => onlyDeclares(text)).map(([path]) => path));
  const plain = new Map(
    [...texts].map(([path, text]) => [
      path,
      text.replace(
        /\bimport"(\.{1,2}\/[^"]+)";/g,
        (load, specifier) => idle.has(resolved(specifier, path)) ? "" : load,
      ),
    ]),
  );
  // Only what nobody needs by its own name can go.
  const needed = new Set(ENTRIES);
  for (const [path, text] of plain) {
    for (const file of importsOf(text, "first", path)) needed.add(file);
  }
  const direct = new Map<string, string>();
  for (const [path, text] of plain) {
    const [, bound, file, bare, exported] = FACADE.exec(text) ?? [];
    if (file === undefined || needed.has(path)) continue;
    const behind = loadedBy([file], plain);
    if (!importsOf(bare!, "first").every((other) => behind.includes(other))) continue;
    const names = new Map(pairsOf(bound!).map(([name, local]) => [local, name]));
    // Read when they are asked for: what a module exports may change while it runs.
    const members = pairsOf(exported!).map(([local, name]) =>
      `get ${name}(){return e.${names.get(local)}}`
    );
    direct.set(path, `import("./${file}").then(e=>({${members.join()}}))`);
  }
  const changed = new Map<string, string>();
  for (const [path, text] of plain) {
    if (direct.has(path)) continue;
    changed.set(
      path,
      text.replace(/\bimport\("\.\/([^"]+)"\)/g, (load, file) => direct.get(file) ?? load),
    );
  }
  return changed;
}

/** Whether a module only gives names to literals, to functions, and to what `Object` has. */
function onlyDeclares(text: string): boolean {
  const source = ts.createSourceFile("chunk.js", text, ts.ScriptTarget.Latest);
  const isInert = (value: ts.Expression | undefined) =>
    value === undefined || ts.isLiteralExpression(value) || ts.isArrowFunction(value) ||
    // To read anything else may run code, or fail.
    /^Object(?:\.\w+)*$/.test(value.getText(source));
  return source.statements.every((item) =>
    (ts.isExportDeclaration(item) && item.moduleSpecifier === undefined) ||
    ts.isFunctionDeclaration(item) ||
    (ts.isVariableStatement(item) &&
      item.declarationList.declarations.every(({ name, initializer }) =>
        ts.isIdentifier(name) && isInert(initializer)
      ))
  );
}

/** `a as b` as a pair, and `a` as the pair of itself. */
function pairsOf(list: string): (readonly [string, string])[] {
  return list.split(",").map((item) => {
    const [first = "", second = first] = item.split(" as ");
    return [first, second];
  });
}

const SPECIFIER = /((?:\bfrom|\bimport)\s*\(?\s*)"(\.{1,2}\/)([^"\n]+)"/g;

/** New names by old ones, in the order in which the entries come to the files. */
function nameFiles(texts: ReadonlyMap<string, string>): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const open = [...ENTRIES];
  for (const path of open) {
    if (names.has(path) || !texts.has(path)) continue;
    const base = path.replace(/(?:-[A-Z0-9]{8})?\.js$/, "");
    let name = `${base}.js`;
    for (let count = 2; taken.has(name); count++) name = `${base}${count}.js`;
    taken.add(name);
    names.set(path, name);
    for (const [, , , file] of texts.get(path)!.matchAll(SPECIFIER)) open.push(file!);
  }
  return names;
}

function toFile(part: string): string {
  return `${part}.js`;
}

const MINIFY = ["--no-config", "--no-lock", "--minify"];

/** A script and what it imports, made in the folder `out` as the program is: gives its file there. */
export async function bundleScript(script: URL, out: string): Promise<string> {
  const name = script.pathname.replace(/^.*\/|\.ts$/g, "");
  await bundle([toPath(script)], { cwd: toPath(ROOT), flags: ["--outdir", `${out}/whole`] });
  await bundle([`whole/${name}.js`], { cwd: out, flags: [...MINIFY, "--outdir", out] });
  return `${out}/${name}.js`;
}

async function bundle(
  entries: readonly string[],
  { cwd, flags }: { cwd: string; flags: readonly string[] },
): Promise<void> {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["bundle", "--quiet", "--code-splitting", ...flags, ...entries],
    cwd,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
  }).output();
  if (!success) throw new Error(`Bundling failed\n${new TextDecoder().decode(stderr)}`);
}

/** Every file below a folder, sorted by path. */
export async function listFiles(folder: string, below = ""): Promise<BuiltFile[]> {
  const files: BuiltFile[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    const path = `${below}${name}`;
    if (isDirectory) files.push(...await listFiles(folder, `${path}/`));
    else files.push({ path, bytes: (await Deno.stat(`${folder}/${path}`)).size });
  }
  return files.sort((a, b) => a.path < b.path ? -1 : 1);
}

async function readTexts(folder: string): Promise<Map<string, string>> {
  const paths = (await listFiles(folder)).map(({ path }) => path).filter((path) =>
    path.endsWith(".js")
  );
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path, await Deno.readTextFile(`${folder}/${path}`)] as const),
    ),
  );
}

/** Has the folder hold these files alone. */
async function writeTexts(folder: string, texts: ReadonlyMap<string, string>): Promise<void> {
  await Deno.remove(folder, { recursive: true });
  await Deno.mkdir(`${folder}/src`, { recursive: true });
  for (const [path, text] of texts) await Deno.writeTextFile(`${folder}/${path}`, text);
}

/** Folders whose paths must not get out: they would name this machine's person or not be found. */
async function machinePaths(): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { denoDir } = JSON.parse(new TextDecoder().decode(stdout));
  const home = Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE");
  return [toPath(ROOT), denoDir, ...(home === undefined ? [] : [home])];
}

/** Throws when a text asks for modules that a bundle has not, or holds one of `paths`. */
export function checkTexts(texts: ReadonlyMap<string, string>, paths: readonly string[]): void {
  // As a folder, so that `/root` is not found in `/rootless`; with either kind of separator.
  const folders = paths.map((path) => path.replaceAll("\\", "/").replace(/\/$/, ""))
    .filter((path) => path !== "").map((path) => `${path}/`);
  for (const [name, text] of texts) {
    if (text.includes("Dynamic require of")) {
      throw new Error(`${name} asks for "require", which a bundle has not`);
    }
    const plain = text.replaceAll("\\\\", "/").replaceAll("\\", "/");
    const found = folders.find((folder) => plain.includes(folder));
    if (found !== undefined) throw new Error(`${name} holds a path of this machine: "${found}"`);
  }
}

/** The files `entries` and those that are imported before they run, by path. */
export function loadedBy(entries: readonly string[], texts: ReadonlyMap<string, string>): string[] {
  return closure(entries, (path) => importsOf(textOf(path, texts), "first", path));
}

/** The file `entry` and those that it imports at once or later, by path. */
export function reachableFrom(entry: string, texts: ReadonlyMap<string, string>): string[] {
  return closure([entry], (path) => {
    const text = textOf(path, texts);
    return [...importsOf(text, "first", path), ...importsOf(text, "later", path)];
  });
}

function closure(entries: readonly string[], next: (path: string) => string[]): string[] {
  const found = new Set(entries);
  // A set goes on with what is added while it is walked.
  for (const path of found) next(path).forEach((other) => found.add(other));
  return [...found];
}

function textOf(path: string, texts: ReadonlyMap<string, string>): string {
  const text = texts.get(path);
  if (text === undefined) throw new Error(`"${path}" is not in the bundle`);
  return text;
}

/** The files that the one at `path` imports before it runs, or later with `import()`. */
function importsOf(text: string, when: "first" | "later", path = "main.js"): string[] {
  const pattern = when === "first"
    ? /(?:\bfrom|\bimport)\s*"(\.{1,2}\/[\w./-]+\.js)"/g
    : /\bimport\("(\.{1,2}\/[\w./-]+\.js)"\)/g;
  return [...text.matchAll(pattern)].map(([, specifier]) => resolved(specifier!, path));
}

function resolved(specifier: string, path: string): string {
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

function checkBudgets(files: readonly BuiltFile[], texts: ReadonlyMap<string, string>): void {
  const sizes = new Map(files.map(({ path, bytes }) => [path, bytes]));
  const sizeOf = (names: readonly string[]) =>
    names.reduce((sum, name) => sum + sizes.get(name)!, 0);
  const commandLine = importsOf(texts.get("main.js")!, "later")[0]!;
  const spent = {
    total: sizeOf([...sizes.keys()]),
    version: sizeOf(loadedBy(["main.js"], texts)),
    commandLine: sizeOf(loadedBy([commandLine], texts)),
  };
  for (const [name, limit] of Object.entries(BUDGETS)) {
    const bytes = spent[name as keyof typeof spent];
    if (bytes > limit) {
      throw new Error(`Budget "${name}" is overspent: ${bytes} B, more than ${limit} B`);
    }
  }
}

// File by file, because a rename does not cross file systems.
async function replaceFolder(
  from: string,
  { target, files }: { target: string; files: readonly BuiltFile[] },
): Promise<void> {
  await Deno.remove(target, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  for (const { path } of files) {
    const folder = `${target}/${path}`.replace(/\/[^/]*$/, "");
    await Deno.mkdir(folder, { recursive: true });
    await Deno.copyFile(`${from}/${path}`, `${target}/${path}`);
  }
}

function toPath(url: URL): string {
  const path = decodeURIComponent(url.pathname);
  return Deno.build.os === "windows" ? path.slice(1) : path;
}

function toUrl(path: string): URL {
  const absolute = path.replaceAll("\\", "/");
  return new URL(`file://${absolute.startsWith("/") ? "" : "/"}${encodeURI(absolute)}`);
}

if (import.meta.main) {
  const { files } = await build();
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  console.log(`dist: ${files.length} files, ${bytes} bytes`);
}
