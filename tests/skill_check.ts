// The rules of Agent Skills as one check of a folder's files: front matter, name, description,
// sizes, links and lines. Stricter than any single validator: what passes here passes them all.

import { estimateTokens } from "../src/stats.ts";

/** What is wrong with the skill in the folder `folder`; empty when it obeys every rule. */
export function skillProblems(folder: string, files: ReadonlyMap<string, string>): string[] {
  const problems: string[] = [];
  const check = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(problem);
  };
  const text = files.get("SKILL.md") ?? "";
  const [, front = "", body = ""] = /^---\n(.*?)\n---\n(.*)$/s.exec(text) ?? [];
  check(front !== "", "SKILL.md has no front matter");
  // Some readers split at the first three hyphens, wherever they stand.
  check(text.split("---", 3)[1]?.trim() === front, "SKILL.md has hyphens in its front matter");
  const fields = new Map(
    front.split("\n").map((line) => {
      const [, key = line, value = ""] = /^([a-z-]+): (.*)$/.exec(line) ?? [];
      return [key, value];
    }),
  );
  check([...fields.keys()].join() === "name,description", `keys are ${[...fields.keys()]}`);
  const name = quoted(fields.get("name") ?? "");
  const description = quoted(fields.get("description") ?? "");
  check(name === folder, `name ${name} is not that of the folder`);
  check(/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name) && name.length <= 64, `name ${name} is not valid`);
  check(!/claude|anthropic/.test(name), `name ${name} is reserved`);
  check(description.length >= 1 && description.length <= 1024, "description has a wrong length");
  check(!/[<>]/.test(description), "description has angle brackets");
  check(!hasUnseen(description), "description has characters that are not seen");
  check(body.split("\n").length < 500, "SKILL.md has too many lines");
  for (const [path, content] of files) {
    if (!path.endsWith(".md")) continue;
    const document = path === "SKILL.md" ? body : content;
    check(estimateTokens(document) < 5_000, `${path} costs ${estimateTokens(document)} tokens`);
    if (path !== "SKILL.md") {
      check(/^## Table of contents$/m.test(document), `${path} has no table of contents`);
    }
    problems.push(...markdownProblems(path, document, files));
  }
  return problems;
}

// The value of a double-quoted YAML scalar on one line.
function quoted(yaml: string): string {
  if (!/^"(?:[^"\\]|\\.)*"$/.test(yaml)) return "";
  try {
    return JSON.parse(yaml.replaceAll("\\x2d", "-"));
  } catch {
    return "";
  }
}

function hasUnseen(text: string): boolean {
  return /[^\P{C}\n]|\p{DI}|\u2028|\u2029/u.test(text);
}

const OWN_LINE =
  /^(?:# [a-z0-9-]+|# Reference of [A-Za-z0-9._-]+(?:: [a-z0-9-]+)?|## (?:Table of contents|Use its tools|Tools|(?:[A-Za-z0-9]|\\_)+))$/;

// Lines, markup and links that are none of ours.
function markdownProblems(
  path: string,
  document: string,
  files: ReadonlyMap<string, string>,
): string[] {
  const problems: string[] = [];
  const anchors = new Set(
    [...document.matchAll(/^#+ (.+)$/gm)].map((found) =>
      found[1]!.toLowerCase().replace(/ /g, "-").replaceAll("\\", "")
    ),
  );
  if (hasUnseen(document)) problems.push(`${path} has characters that are not seen`);
  let fence = "";
  for (const line of document.split("\n")) {
    const place = `${path}: ${line.slice(0, 80)}`;
    const ticks = /^`{3,}/.exec(line)?.[0];
    if (fence !== "") {
      if (line === fence) fence = "";
      else if (ticks !== undefined && ticks.length >= fence.length) problems.push(place);
      continue;
    }
    if (ticks !== undefined) {
      if (!/^`{3,}(?:sh|ts)$/.test(line)) problems.push(place);
      fence = ticks;
      continue;
    }
    if (/^ {0,3}(?:~~~|---|===|\*\*\*|___|<)/.test(line)) problems.push(place);
    if (/^\s*#/.test(line) && !OWN_LINE.test(line)) problems.push(place);
    const prose = withoutSpans(line);
    if (/(?<!\\)[<*_|]/.test(prose.replace(/\\\\|\]\([^)]*\)/g, ""))) {
      problems.push(`markup in ${place}`);
    }
    for (const [, target] of prose.matchAll(/(?<!\\)\]\(([^)]*)\)/g)) {
      const isThere = target!.startsWith("#") ? anchors.has(target!.slice(1)) : files.has(target!);
      if (!isThere) problems.push(`link to ${target} in ${place}`);
    }
  }
  if (fence !== "") problems.push(`${path} has an open fence`);
  return problems;
}

// A line without its code spans, read as CommonMark does: an escaped backtick opens none.
function withoutSpans(line: string): string {
  let text = "";
  for (let at = 0; at < line.length;) {
    if (line[at] === "\\") {
      text += line.slice(at, at + 2);
      at += 2;
      continue;
    }
    const ticks = /^`+/.exec(line.slice(at))?.[0];
    if (ticks === undefined) {
      text += line[at++];
      continue;
    }
    const end = new RegExp(`(?<!\`)${ticks}(?!\`)`).exec(line.slice(at + ticks.length));
    if (end === null) {
      text += "*"; // an open span: counts as markup
      at += ticks.length;
    } else at += ticks.length * 2 + end.index;
  }
  return text;
}
