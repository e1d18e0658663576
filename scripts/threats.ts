// deno-lint-ignore-file no-console
// Compares the list of threats with the titles of the tests: each threat has to stand in one. Run by
// the tests; prints what is missing, and with --list which tests cover each threat.

/** Threats without a test so far, each with the reason; a test that comes takes its line out. */
const PLANNED: Readonly<Record<string, string>> = {
  G9: "Rust is not generated yet",
};

const TESTS = new URL("../tests/", import.meta.url);
const ID = /(?<![\w-])([A-Z])(\d{1,2})(?![\w-])/g;

/** The faults of the titles in `files`, by path, against the threats by id; empty without any. */
export function checkThreats(
  threats: Readonly<Record<string, string>>,
  { files, planned = PLANNED }: {
    readonly files: ReadonlyMap<string, string>;
    readonly planned?: Readonly<Record<string, string>>;
  },
): string[] {
  const covered = coverage(files);
  const families = new Set(Object.keys(threats).map((id) => id[0]!));
  const faults: string[] = [];
  for (const [id, meaning] of Object.entries(threats)) {
    const has = covered.has(id);
    const isPlanned = Object.hasOwn(planned, id);
    if (!has && !isPlanned) faults.push(`${id} has no test: ${meaning}`);
    if (has && isPlanned) faults.push(`${id} has a test and is planned no more`);
  }
  for (const id of Object.keys(planned)) {
    if (!Object.hasOwn(threats, id)) faults.push(`${id} is planned and no threat`);
  }
  for (const [id, [title]] of covered) {
    if (Object.hasOwn(threats, id) || !families.has(id[0]!)) continue;
    faults.push(`${id} is no threat: ${title}`);
  }
  return faults;
}

/** The titles of tests by the threats they name. */
function coverage(files: ReadonlyMap<string, string>): ReadonlyMap<string, string[]> {
  const covered = new Map<string, string[]>();
  for (const [path, text] of files) {
    for (const title of titlesIn(path, text)) {
      for (const [id] of title.matchAll(ID)) {
        covered.set(id, [...covered.get(id) ?? [], `${path}: ${title}`]);
      }
    }
  }
  return covered;
}

function titlesIn(path: string, text: string): string[] {
  if (path.endsWith(".json")) {
    return (JSON.parse(text) as { title: string }[]).map(({ title }) => title);
  }
  // The first line of an attack is its title.
  if (path.endsWith(".js")) return [text.split("\n", 1)[0]!];
  const found = text.matchAll(
    /(?:\b(?:test|step|each)\(\s*|\b(?:name|title|ids):\s*)(["`])((?:\\.|(?!\1)[^\\])*)\1/g,
  );
  return [...found].map((match) => match[2]!);
}

async function readTests(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const folder of ["", "specs/", "escapes/"]) {
    for await (const { name } of Deno.readDir(new URL(folder, TESTS))) {
      const isTest = folder === "" ? /_(?:test|cases)\.ts$/.test(name) : /\.js(?:on)?$/.test(name);
      if (isTest) {
        files.set(folder + name, await Deno.readTextFile(new URL(folder + name, TESTS)));
      }
    }
  }
  return new Map([...files].sort(([a], [b]) => a < b ? -1 : 1));
}

if (import.meta.main) {
  const threats = JSON.parse(await Deno.readTextFile(new URL("threats.json", TESTS)));
  const files = await readTests();
  if (Deno.args[0] === "--list") {
    const covered = coverage(files);
    for (const [id, meaning] of Object.entries(threats)) {
      console.log(`${id} ${meaning}`);
      for (const title of covered.get(id) ?? []) console.log(`  ${title}`);
    }
  }
  const faults = checkThreats(threats, { files });
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
}
