// Tells what a release is made of: a bill of materials in CycloneDX 1.6 and the notices that the
// licences of its packages ask for. All of it is read from the lock file and the packages.

/** A package of the lock file. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** SHA-512 of what the registry gave, in hexadecimal. */
  readonly sha512: string;
  /** Keys of the packages that it needs, as `name@version`. */
  readonly dependencies: readonly string[];
  /** Whether the program holds it; the others serve tests and builds alone. */
  readonly isShipped: boolean;
  /** By its SPDX name; absent where only the text tells. */
  readonly license?: string;
  /** The text of its licence, of shipped packages. */
  readonly notice?: string;
}

interface LockFile {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, { integrity: string; dependencies?: string[] }>>;
}

/** What Deno tells of the program's modules; its packages are all of the lock file. */
interface ModuleGraph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages: Readonly<
    Record<string, { name: string; version: string; dependencies: string[]; localPath: string }>
  >;
}

/** Every package of `deno.lock` in `root`, sorted by key; needs the shipped ones in Deno's cache. */
export async function readPackages(root: URL): Promise<Map<string, LockedPackage>> {
  const lock: LockFile = JSON.parse(await Deno.readTextFile(new URL("deno.lock", root)));
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "main.ts"],
    cwd: root,
    env: { DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const shipped = packagesOf(JSON.parse(new TextDecoder().decode(stdout)));
  const keys = Object.keys(lock.npm).sort();
  const packages = new Map<string, LockedPackage>();
  for (const key of keys) {
    const cut = key.lastIndexOf("@");
    const [name, version] = [key.slice(0, cut), key.slice(cut + 1)];
    const { integrity, dependencies = [] } = lock.npm[key]!;
    const folder = shipped.get(key);
    packages.set(key, {
      name,
      version,
      sha512: Uint8Array.fromBase64(integrity.replace(/^sha512-/, "")).toHex(),
      // The lock file leaves a version out where there is only one.
      dependencies: dependencies.map((item) =>
        keys.includes(item) ? item : keys.find((other) => other.startsWith(`${item}@`))!
      ),
      isShipped: folder !== undefined,
      ...(folder !== undefined && await readLicense(folder)),
    });
  }
  const missing = [...shipped.keys()].filter((key) => !packages.has(key));
  if (missing.length > 0) throw new Error(`Not in deno.lock: ${missing.join(", ")}`);
  return packages;
}

/** The packages that modules of the program import, and all that those need, with their folders. */
function packagesOf({ modules, npmPackages }: ModuleGraph): Map<string, string> {
  const found = new Map<string, string>();
  const open = modules.flatMap(({ npmPackage }) => npmPackage ?? []);
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    const { name, version, dependencies, localPath } = npmPackages[key]!;
    if (found.has(`${name}@${version}`)) continue;
    found.set(`${name}@${version}`, localPath);
    open.push(...dependencies);
  }
  return found;
}

async function readLicense(folder: string): Promise<{ license?: string; notice?: string }> {
  const { license } = JSON.parse(await Deno.readTextFile(`${folder}/package.json`));
  let notice: string | undefined;
  for await (const { name } of Deno.readDir(folder)) {
    if (!/^licen[cs]e(?:\.\w+)?$/i.test(name)) continue;
    notice = (await Deno.readTextFile(`${folder}/${name}`)).replaceAll("\r\n", "\n").trim();
  }
  return {
    ...(typeof license === "string" && { license }),
    ...(notice !== undefined && { notice }),
  };
}

/** What a bill is about. */
export interface BillOptions {
  readonly version: string;
  readonly seconds: number;
  readonly repository: string;
  /** The version of Deno in the executables. */
  readonly deno: string;
}

/** The bill of materials as a CycloneDX 1.6 document; the same input gives the same document. */
export async function billOfMaterials(
  packages: ReadonlyMap<string, LockedPackage>,
  { version, seconds, repository, deno }: BillOptions,
): Promise<Record<string, unknown>> {
  const roots = [...packages].filter(([key, { isShipped }]) =>
    isShipped &&
    ![...packages.values()].some((other) => other.isShipped && other.dependencies.includes(key))
  ).map(([key]) => key);
  const ownRef = `pkg:github/${repository}@v${version}`;
  const denoRef = `pkg:github/denoland/deno@v${deno}`;
  const content = {
    metadata: {
      timestamp: new Date(seconds * 1000).toISOString().replace(/\.000Z$/, "Z"),
      component: {
        type: "application",
        "bom-ref": ownRef,
        name: "mcp-exec",
        version,
        licenses: [{ license: { id: "MIT" } }],
        purl: ownRef,
        externalReferences: [{ type: "vcs", url: `https://github.com/${repository}` }],
      },
    },
    components: [
      {
        type: "framework",
        "bom-ref": denoRef,
        name: "deno",
        version: deno,
        scope: "required",
        licenses: [{ license: { id: "MIT" } }],
        purl: denoRef,
      },
      ...[...packages.values()].map(component),
    ],
    dependencies: [
      { ref: ownRef, dependsOn: [denoRef, ...roots.map((key) => purl(packages.get(key)!))] },
      { ref: denoRef, dependsOn: [] },
      ...[...packages.values()].map((item) => ({
        ref: purl(item),
        dependsOn: item.dependencies.map((key) => purl(packages.get(key)!)),
      })),
    ],
  };
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${await uuidOf(JSON.stringify(content))}`,
    version: 1,
    ...content,
  };
}

function component(item: LockedPackage): Record<string, unknown> {
  const [, group, name] = /^(?:(@[^/]+)\/)?(.+)$/.exec(item.name)!;
  return {
    type: "library",
    "bom-ref": purl(item),
    ...(group !== undefined && { group }),
    name,
    version: item.version,
    scope: item.isShipped ? "required" : "excluded",
    hashes: [{ alg: "SHA-512", content: item.sha512 }],
    ...(item.license !== undefined && { licenses: [licenseOf(item.license)] }),
    purl: purl(item),
  };
}

function licenseOf(text: string): Record<string, unknown> {
  return /[ ()]/.test(text) ? { expression: text } : { license: { id: text } };
}

function purl({ name, version }: { name: string; version: string }): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

// A UUID of version 8, whose content is the maker's: here a digest, so that it repeats.
async function uuidOf(text: string): Promise<string> {
  const bytes = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  ).slice(0, 16);
  bytes[6] = bytes[6]! & 0x0f | 0x80;
  bytes[8] = bytes[8]! & 0x3f | 0x80;
  return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/**
 * The notices of everything the program holds, as one text; the same licence is printed once. Throws
 * for a package without a text of its own whose licence no other one has a text of.
 */
export function thirdPartyNotices(
  packages: ReadonlyMap<string, LockedPackage>,
  { deno }: { deno: string },
): string {
  const shipped = [...packages.values()].filter(({ isShipped }) => isShipped);
  const byNotice = new Map<string, string[]>();
  for (const { name, version, license, notice } of shipped) {
    const other = shipped.find((item) => item.license === license && item.notice !== undefined);
    if (notice === undefined && (license === undefined || other === undefined)) {
      throw new Error(`Package "${name}" has no text of its licence`);
    }
    const text = notice ??
      `Licence: ${license}, whose text stands with ${other!.name} ${other!.version}`;
    byNotice.set(text, [...byNotice.get(text) ?? [], `${name} ${version}`]);
  }
  const head = "mcp-exec holds the following software of others.\n\n" +
    `deno ${deno} (in executables and portable archives)\n\n` +
    `MIT licence, and those of its own parts: https://github.com/denoland/deno/tree/v${deno}\n`;
  const parts = [...byNotice].map(([notice, names]) => `${names.join(", ")}\n\n${notice}\n`);
  return [head, ...parts].join(`\n${"-".repeat(72)}\n\n`);
}
