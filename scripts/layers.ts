// deno-lint-ignore-file no-console
// Checks the structure that the security argument rests on: which module may import which, and
// which may write files, spawn, fetch, listen, make workers or unwrap secrets. Run by the tests.

import ts from "typescript";

/** Rows from the ground up; a module imports from its own row or a lower one, never in a circle. */
const ROWS: readonly (readonly string[])[] = [
  words("errors limits names identifiers text hash server context version well_known"),
  [
    ...words(
      "log read inside jsonc lock disk database process expand escape stats tool_groups wire",
    ),
    ...words("schema schema_form schema_keywords schema_reference schema_shape schema_table"),
    ...words("schema_plain schema_problems policy limiter timeouts cache waiting backoff notices"),
    ...words("type_model type_text named_types template template_generated"),
    ...words("progress frames daemon_place figure_views"),
    ...words("source source_lexer source_nesting source_scan source_map"),
    ...words(
      "fuel loader prepared asset engine engine_image rejections web_globals web_host prelude messages verdict wall_clock",
    ),
    ...words(
      "integrity front_matter plain_yaml skill_metadata skill_places skill_roots",
    ),
  ],
  [
    ...words(
      "channel stdio http secrets transport introspect fingerprints catalog asking bridge call_report listings payloads pool validate journal config skill_code",
    ),
    ...words("sign_ins oauth sign_in_listener daemon_client"),
    ...words(
      "clients client_edits policy_layers server_lint config_file discovery trust state figures",
    ),
    ...words(
      "vfs plan reference codegen documents declarations difference modules run guest sandbox workspace handles preview recorded_result results resources",
    ),
  ],
  words(
    "warm servers search tool_index executor host_functions session output_folder outputs server_changes server_check server_views skills skill_programs skill_views",
  ),
  [
    ...words(
      "render tool_views globals flags run_output server_validate skill_runs skill_saving complete call_params policy_views login_commands server_login run_views doctor demo_server demo_issue_tools demo_tracker",
    ),
    ...words("demo_data demo_views"),
    ...words("daemon serve serve_catalog serve_keys serve_protocol serve_results serve_session"),
    ...words("serve_install serve_skills serve_stdio serve_texts serve_tools"),
  ],
  words("cli command_run command_table commands/*"),
  words("main"),
];

function words(text: string): string[] {
  return text.split(" ");
}

interface Fact {
  readonly says: string;
  readonly allowed: readonly string[];
  readonly found: (use: string) => boolean;
}

const WRITES =
  /^Deno\.(?:write(?:Text)?File|open|openKv|create|mkdir|rename|remove|symlink|link|chmod|chown|copyFile|truncate|utime|makeTemp(?:File|Dir))(?:Sync)?$/;

/**
 * A use is `Deno.x` or `process.x`, a global by its name, a package as `import x`, a method that
 * matters as `.x`; `Deno` and `globalThis` alone where they are handed on whole.
 */
const FACTS: readonly Fact[] = [
  {
    says: "writes files",
    allowed: ["disk", "database", "lock"],
    found: (use) =>
      WRITES.test(use) || /^(?:localStorage|caches)$/.test(use) ||
      /^import node:(?:fs|sqlite|wasi)\b/.test(use),
  },
  {
    says: "spawns or kills processes",
    allowed: ["process"],
    found: (use) =>
      /^Deno\.(?:Command|spawn\w*|ChildProcess|Process|kill|run|dlopen|Unsafe\w+)$/.test(use) ||
      /^import node:(?:child_process|cluster)\b/.test(use),
  },
  {
    says: "reaches the network",
    allowed: ["transport", "http", "oauth"],
    found: (use) =>
      /^(?:fetch|WebSocket|WebSocketStream|EventSource|WebTransport)$/.test(use) ||
      /^Deno\.(?:connect\w*|startTls|resolveDns|createHttpClient|HttpClient)$/.test(use) ||
      /^import @modelcontextprotocol\/client\b/.test(use) ||
      /^import node:(?:net|https?|http2|tls|dgram|dns|inspector)\b/.test(use),
  },
  {
    says: "listens",
    allowed: ["serve", "sign_in_listener"],
    found: (use) => /^Deno\.(?:serve|serveHttp|upgradeWebSocket|listen\w*)$/.test(use),
  },
  {
    // Within the machine, where the folder of the socket says who may.
    says: "talks over a local socket",
    allowed: ["daemon", "daemon_client"],
    found: (use) => /^Deno\.(?:connect|listen) unix$/.test(use),
  },
  {
    says: "makes workers",
    allowed: ["sandbox"],
    found: (use) => /^(?:Worker|SharedWorker|import node:worker_threads)$/.test(use),
  },
  {
    says: "touches the process",
    allowed: ["main"],
    found: (use) =>
      /^Deno\.(?:args|env|exit|exitCode|chdir|umask|permissions|Permission\w+)$/.test(use) ||
      use === "console" ||
      /^process\.(?!getBuiltinModule$)/.test(use) || /^import node:process\b/.test(use),
  },
  {
    says: "loads a module of the runtime in the middle of its work",
    allowed: ["source"],
    found: (use) => use === "process.getBuiltinModule",
  },
  {
    says: "unwraps secrets",
    allowed: ["secrets", "http", "process", "text", "sign_ins", "oauth"],
    found: (use) => use === ".reveal",
  },
  {
    says: "evaluates text or imports what it computes",
    allowed: ["loader"],
    found: (use) => /^(?:eval|Function|createRequire|import \(computed\))$/.test(use),
  },
  // What is handed on whole is used where no rule above can see it.
  {
    says: "hands on a namespace",
    allowed: ["read", "disk", "lock"],
    found: (use) => use === "Deno",
  },
  { says: "hands on a namespace", allowed: ["guest"], found: (use) => use === "globalThis" },
];

/** Modules that must not reach others, by any chain of imports. */
const UNREACHABLE = {
  from: ["sandbox", "guest", "engine", "prelude", "source"],
  to: ["transport", "http", "stdio", "disk", "lock", "database", "process", "bridge"],
};

/** What one module imports and uses. */
interface Module {
  readonly name: string;
  readonly imports: readonly string[];
  readonly uses: readonly string[];
}

/** The faults of a tree of modules, one line each; empty when its structure holds. */
export function checkLayers(files: ReadonlyMap<string, string>): string[] {
  const modules = new Map([...files].map(([path, text]) => {
    const module = readModule(path, text);
    return [module.name, module];
  }));
  return [
    ...[...modules.values()].flatMap((module) => checkRows(module, modules)),
    ...[...modules.values()].flatMap(checkFacts),
    ...checkReach(modules),
    ...checkCircles(modules),
  ];
}

function checkRows(module: Module, modules: ReadonlyMap<string, Module>): string[] {
  const row = rowOf(module.name);
  if (row < 0) return [`${module.name} stands in no row: add it to scripts/layers.ts`];
  const faults: string[] = [];
  for (const name of module.imports) {
    if (!modules.has(name)) faults.push(`${module.name} imports ${name}, which does not exist`);
    if (rowOf(name) > row) {
      faults.push(`${module.name} (row ${row}) imports ${name} (row ${rowOf(name)})`);
    }
    const isReacher = /^(?:cli|command_table)$/.test(module.name);
    if (name.startsWith("commands/") && !isReacher) {
      faults.push(`${module.name} imports the command ${name}`);
    }
    if (name === "cli" && module.name.startsWith("commands/")) {
      faults.push(`${module.name} imports cli`);
    }
  }
  return faults;
}

function checkFacts(module: Module): string[] {
  return FACTS.filter((fact) => !fact.allowed.includes(module.name)).flatMap((fact) =>
    module.uses.filter(fact.found).map((use) => `${module.name} ${fact.says}: ${use}`)
  );
}

function checkReach(modules: ReadonlyMap<string, Module>): string[] {
  return UNREACHABLE.from.flatMap((from) => {
    const seen = reachableFrom(from, modules);
    return UNREACHABLE.to.filter((to) => seen.has(to)).map((to) => `${from} reaches ${to}`);
  });
}

function checkCircles(modules: ReadonlyMap<string, Module>): string[] {
  return [...modules.keys()].filter((name) =>
    (modules.get(name)?.imports ?? []).some((next) => reachableFrom(next, modules).has(name))
  ).map((name) => `${name} imports itself through others`);
}

function reachableFrom(start: string, modules: ReadonlyMap<string, Module>): Set<string> {
  const seen = new Set<string>();
  const open = [start];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    open.push(...(modules.get(name)?.imports ?? []));
  }
  return seen;
}

function rowOf(name: string): number {
  const key = name.startsWith("commands/") ? "commands/*" : name;
  return ROWS.findIndex((row) => row.includes(key));
}

function readModule(path: string, text: string): Module {
  const name = path.replace(/^src\//, "").replace(/\.ts$/, "");
  const folder = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports = new Set<string>();
  const uses = new Set<string>();
  const addSpecifier = (specifier: string, typeOnly: boolean) => {
    if (!specifier.startsWith(".")) {
      if (!typeOnly) uses.add(`import ${specifier}`);
      return;
    }
    const target = new URL(specifier, `file:///${folder}`).pathname.slice(1);
    imports.add(target.replace(/^src\//, "").replace(/\.ts$/, ""));
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const specifier = node.moduleSpecifier;
      const typeOnly = ts.isImportDeclaration(node)
        ? node.importClause?.isTypeOnly === true
        : node.isTypeOnly;
      if (specifier && ts.isStringLiteral(specifier)) addSpecifier(specifier.text, typeOnly);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const argument = node.arguments[0];
      if (argument && ts.isStringLiteral(argument)) addSpecifier(argument.text, false);
      else uses.add("import (computed)");
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      const literal = node.argument.literal;
      if (ts.isStringLiteral(literal)) addSpecifier(literal.text, true);
    } else if (ts.isIdentifier(node) && isReference(node)) {
      uses.add(useOf(node));
    } else if (nameOfMember(node) === "reveal") {
      uses.add(".reveal");
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { name, imports: [...imports], uses: [...uses] };
}

/** Whether an identifier stands for a value of that name, rather than naming a member or a type. */
function isReference(node: ts.Identifier): boolean {
  const parent: ts.Node & { name?: ts.Node; propertyName?: ts.Node } = node.parent;
  if (ts.isImportSpecifier(parent) || ts.isShorthandPropertyAssignment(parent)) return true;
  if (ts.isExpressionWithTypeArguments(parent)) return true;
  return parent.name !== node && parent.propertyName !== node && !ts.isTypeNode(parent) &&
    !ts.isQualifiedName(parent);
}

/** What is used where `node` stands: a member of a namespace, or the name itself. */
function useOf(node: ts.Identifier): string {
  const { parent } = node;
  const member = ts.isPropertyAccessExpression(parent) ? parent : undefined;
  if (/^(?:globalThis|self|window)$/.test(node.text)) {
    if (member === undefined) return "globalThis";
    const below = ts.isPropertyAccessExpression(member.parent) ? member.parent.name.text : "";
    const name = member.name.text;
    return below !== "" && /^(?:Deno|process)$/.test(name) ? `${name}.${below}` : name;
  }
  return member !== undefined && /^(?:Deno|process)$/.test(node.text)
    ? `${node.text}.${member.name.text}${isLocalSocket(member) ? " unix" : ""}`
    : node.text;
}

/** Whether `callee` is called with `{ transport: "unix", ... }`, written out. */
function isLocalSocket(callee: ts.Node): boolean {
  const { parent } = callee;
  if (!ts.isCallExpression(parent) || parent.expression !== callee) return false;
  const [options] = parent.arguments;
  if (options === undefined || !ts.isObjectLiteralExpression(options)) return false;
  return options.properties.every((property) => !ts.isSpreadAssignment(property)) &&
    options.properties.some((property) =>
      ts.isPropertyAssignment(property) && property.name.getText() === "transport" &&
      ts.isStringLiteral(property.initializer) && property.initializer.text === "unix"
    );
}

/** The member that `node` takes from an object, by whichever syntax. */
function nameOfMember(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return node.argumentExpression.text;
  }
  return ts.isBindingElement(node) ? (node.propertyName ?? node.name).getText() : undefined;
}

/** Every module of the program under `root`, by its path from there. */
export async function readTree(root: URL): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const read = async (path: string) =>
    files.set(path, await Deno.readTextFile(new URL(path, root)));
  await read("main.ts");
  for (const folder of ["src/", "src/commands/"]) {
    for await (const entry of Deno.readDir(new URL(folder, root))) {
      if (entry.isFile && entry.name.endsWith(".ts")) await read(`${folder}${entry.name}`);
    }
  }
  return files;
}

if (import.meta.main) {
  const files = await readTree(new URL("../", import.meta.url));
  const faults = checkLayers(files);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
  console.log(`layers: ${files.size} modules, no fault`);
}
