// Groups tools by what their names say they are about: `create_issue` and `list_issues` belong to
// `issue`. A tool's group depends on the names of the server's tools alone.

import { isPathSegment } from "./names.ts";

/** Tools that belong together. */
export interface ToolGroup<Tool> {
  /** Words of `a-z` and `0-9` joined by hyphens, no number last; unique, and good for a file. */
  readonly label: string;
  /** In the order they came in. */
  readonly tools: readonly Tool[];
}

// What tools do; a name that begins with one is about the words behind it.
const VERBS = new Set(
  `accept activate add analyze append apply approve archive ask assign attach batch block book
  build bulk calculate call cancel capture change check clear click clone close commit compare
  complete compose compute configure confirm connect convert copy count create deactivate decline
  delete deploy describe detect diff disable discover disconnect dismiss download drop duplicate
  edit enable estimate evaluate execute explain explore export extract fetch fill filter find
  fork format generate get git give grant handle import index inspect install invite invoke join
  launch leave link list load lock lookup make manage mark merge modify move my navigate new open
  parse patch pause perform pin place play poll post preview print process promote protect publish
  pull push put query read rebase record refresh register reject reload remove rename render
  reopen reorder replace reply report request reset resize resolve restart restore resume retrieve
  retry revert review revoke rotate run save scan schedule scrape search select send set share
  show sort split start star stop stream subscribe submit suggest summarize swap sync tag take
  test toggle track transfer transform translate trigger unarchive unassign uninstall unlink
  unlock unpin unprotect unpublish unsubscribe unapprove update upgrade upload upsert use validate
  verify view wait watch write`.split(/\s+/),
);
const FILLERS = new Set("a all an and by for from in my of on or the to with".split(" "));
const MIN_GROUP = 3;
const MAX_LABEL_WORDS = 3;
const MAX_LABEL_CHARS = 32;
const REST = "other";

/**
 * `tools` in groups sorted by label. A group has at least three tools; what is left over is one
 * group of its own, which comes last.
 */
export function groupTools<Tool extends { readonly tool: string }>(
  tools: readonly Tool[],
): ToolGroup<Tool>[] {
  const subjects = subjectsOf(tools.map(({ tool }) => tool));
  const members = new Map<string, { tool: Tool; subject: readonly string[] }[]>();
  for (const [at, tool] of tools.entries()) {
    const subject = subjects[at]!;
    const key = subject[0] ?? "";
    const group = members.get(key);
    if (group === undefined) members.set(key, [{ tool, subject }]);
    else group.push({ tool, subject });
  }
  const rest = new Set<Tool>();
  const groups: ToolGroup<Tool>[] = [];
  for (const [key, group] of members) {
    if (key === "" || key === REST || group.length < MIN_GROUP) {
      for (const { tool } of group) rest.add(tool);
    } else {
      const label = labelOf(group.map(({ subject }) => subject));
      groups.push({ label, tools: group.map(({ tool }) => tool) });
    }
  }
  groups.sort((a, b) => a.label < b.label ? -1 : 1);
  if (rest.size > 0) {
    const label = groups.length === 0 ? "tools" : REST;
    groups.push({ label, tools: tools.filter((tool) => rest.has(tool)) });
  }
  return groups;
}

// What each name is about, as words: without what all names begin with, and without the verb.
function subjectsOf(names: readonly string[]): string[][] {
  const words = names.map(wordsOf);
  const first = words[0]?.[0];
  const isPrefix = words.length > 1 && words.every((own) => own.length > 1 && own[0] === first);
  return words.map((all) => {
    const own = isPrefix ? all.slice(1) : all;
    const start = own.length > 1 && VERBS.has(own[0]!) ? 1 : 0;
    // The second verb of `create_or_update_file`.
    const second = own[start] === "or" && VERBS.has(own[start + 1] ?? "") ? 2 : 0;
    const subject = own.slice(start + second).filter((word) => !FILLERS.has(word));
    return subject.map((word) => singular(word).slice(0, MAX_LABEL_CHARS));
  });
}

function wordsOf(name: string): string[] {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase().match(/[a-z][a-z0-9]*/g) ?? [];
}

function singular(word: string): string {
  if (word.length < 4 || !word.endsWith("s") || /(?:ss|us|is)$/.test(word)) return word;
  if (word.endsWith("ies")) return `${word.slice(0, -3)}y`;
  return /(?:ch|sh|x|ss)es$/.test(word) ? word.slice(0, -2) : word.slice(0, -1);
}

// The words that all subjects of a group begin with.
function labelOf(subjects: readonly (readonly string[])[]): string {
  const [first] = subjects;
  let count = 1;
  while (
    count < MAX_LABEL_WORDS && first![count] !== undefined &&
    subjects.every((subject) => subject[count] === first![count])
  ) count++;
  const label = first!.slice(0, count).join("-").slice(0, MAX_LABEL_CHARS).replace(/-$/, "");
  return isPathSegment(`${label}.md`) ? label : `${label}-tools`;
}
