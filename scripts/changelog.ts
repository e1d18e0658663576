// deno-lint-ignore-file no-console
// Makes the section of a release for CHANGELOG.md from the subjects of its commits. They are plain
// imperative sentences: the first word tells the group. Nothing is invented, nothing reworded.

const GROUPS = ["Added", "Fixed", "Faster", "Changed"] as const;

/** What concerns only those who work on the program. */
const INNER =
  /^(?:Test|Bench|Measure|Expect|Obey|Place|Name|Drop|Move|Prove|Pin|Describe|Tell (?:in|of|that|how|what)|Share|Drive|Compare|Lay|Try)\b/;
const KINDS: readonly (readonly [(typeof GROUPS)[number], RegExp])[] = [
  ["Faster", /\b(?:faster|sooner|less work|do less)\b|^(?:Do less|Spend less|Allocate less)\b/i],
  ["Fixed", /^(?:Fix|Mend|Correct|Bound|Close|Refuse|Wait|End|Clean|Ignore|Charge|Stop|Restore)\b/],
  [
    "Added",
    /^(?:Add|Let|Offer|Show|Complete|Find|Connect|Convert|Generate|Publish|Make|Judge|Search|Run|Ask|Look)\b/,
  ],
];

/** What a section is about. */
export interface SectionOptions {
  readonly version: string;
  /** As `YYYY-MM-DD`. */
  readonly date: string;
  /** Whether nothing was released before: what was mended or changed until then is no news. */
  readonly isFirst?: boolean;
}

/** The section for commits with these subjects, the newest first; ends with a line feed. */
export function changelogSection(
  subjects: readonly string[],
  { version, date, isFirst = false }: SectionOptions,
): string {
  const groups = new Map<string, string[]>();
  let inner = 0;
  for (
    const subject of new Set(subjects.map((text) => text.trim()).filter((text) => text !== ""))
  ) {
    if (INNER.test(subject)) {
      inner++;
      continue;
    }
    const group = KINDS.find(([, pattern]) => pattern.test(subject))?.[0] ?? "Changed";
    groups.set(group, [...groups.get(group) ?? [], subject]);
  }
  const shown = GROUPS.filter((group) => groups.has(group) && (!isFirst || group === "Added"));
  const lists = shown.map((group) =>
    `### ${group}\n\n${
      groups.get(group)!.map((subject) => `- ${escapeMarkdown(subject)}\n`).join("")
    }`
  );
  if (isFirst) return [`## ${version} (${date})\n`, "The first release.\n", ...lists].join("\n");
  const rest = inner === 0 ? [] : [`And ${inner} of tests, structure and documents.\n`];
  return [`## ${version} (${date})\n`, ...lists, ...rest].join("\n");
}

/** The changelog with `section` on top; one of the same version is replaced. */
export function withSection(changelog: string, section: string): string {
  const [, version] = /^## (\S+)/.exec(section)!;
  const sections = changelog.split(/^(?=## )/m);
  const head = sections[0]?.startsWith("# ") ? sections.shift()! : "# Changelog\n\n";
  const others = sections.filter((text) =>
    text.trim() !== "" && !text.startsWith(`## ${version} `)
  );
  return `${head}${[section, ...others.map((text) => `${text.trim()}\n`)].join("\n")}`;
}

/** What the history of a checkout says of the release that is being made. */
export interface History {
  /** Subjects of the commits since the last release, the newest first. */
  readonly subjects: readonly string[];
  readonly isFirst: boolean;
}

/** The history up to HEAD since the last tag `v*` before it; of all when there is none. */
export async function readHistory(folder: URL): Promise<History> {
  const git = async (...args: string[]) => {
    const command = new Deno.Command("git", { args, cwd: folder, stderr: "null" });
    const { success, stdout } = await command.output();
    return success ? new TextDecoder().decode(stdout).trim() : "";
  };
  // A tag on HEAD is that of this very release.
  const last = await git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^");
  const range = last === "" ? "HEAD" : `${last}..HEAD`;
  const log = await git("log", "--no-merges", "--format=%s", range);
  return { subjects: log.split("\n"), isFirst: last === "" };
}

// What stands in a subject is text, not markup.
function escapeMarkdown(text: string): string {
  return text.replace(/[\\`*_<>[\]#|]/g, "\\$&");
}

if (import.meta.main) {
  const { VERSION } = await import("../src/version.ts");
  const root = new URL("../", import.meta.url);
  const file = new URL("CHANGELOG.md", root);
  const { subjects, isFirst } = await readHistory(root);
  const section = changelogSection(subjects, {
    isFirst,
    version: VERSION,
    date: new Date().toISOString().slice(0, 10),
  });
  await Deno.writeTextFile(
    file,
    withSection(await Deno.readTextFile(file).catch(() => ""), section),
  );
  console.log(`CHANGELOG.md: section ${VERSION}`);
}
