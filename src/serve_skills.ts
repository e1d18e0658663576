// The skills of this machine as resources under `skill://`: those whose files are what was written
// and whose content was accepted here, each file as it is. Runs nothing of them.

import type { McpServer, Resource } from "@modelcontextprotocol/server";
import type { Skill as SkillEntry, SkillSource } from "@modelcontextprotocol/server/ext/skills";
import { toAppError } from "./errors.ts";
import type { Digest } from "./hash.ts";
import { forgetOldest } from "./limits.ts";
import type { Log } from "./log.ts";
import { SKILL_FILE } from "./skill_metadata.ts";
import type { Skill, SkillStore } from "./skills.ts";
import { cleanLine } from "./text.ts";

const BASE = "skill://";
const MAX_SERVED = 500;
const TTL_MS = 60_000;

/** A function that serves the skills of a store on a server that is not connected yet. */
export async function createSkillAttachment(
  store: () => SkillStore,
  log: Pick<Log, "debug">,
): Promise<(server: McpServer) => void> {
  const { SKILL_LIMITS, SkillsExtension, skillEntry } = await import(
    "@modelcontextprotocol/server/ext/skills"
  );
  const entries = new Map<Digest, Promise<SkillEntry>>();

  // Read anew each time: a skill may have been changed, removed or accepted meanwhile.
  async function load(name: string): Promise<Skill | undefined> {
    try {
      const skill = await store().load(name);
      const bytes = [...skill.files.values()].reduce((sum, text) => sum + text.length, 0);
      if (skill.files.size <= SKILL_LIMITS.files && bytes <= SKILL_LIMITS.bytes) return skill;
      log.debug(`Skill "${skill.name}" is not served: it is too large`);
    } catch (error) {
      log.debug(`Skill is not served: ${toAppError(error).message}`);
    }
    return undefined;
  }

  /** The entry of a skill; undefined for one that the protocol cannot take. */
  async function entryOf({ name, root, files }: Skill): Promise<SkillEntry | undefined> {
    const entry = entries.get(root) ?? skillEntry(name, Object.fromEntries(files));
    entries.set(root, entry);
    forgetOldest(entries, MAX_SERVED);
    try {
      return await entry;
    } catch (error) {
      const problems = error instanceof Error ? error.message.replace(/\s+/g, " ") : "";
      log.debug(`Skill "${name}" is not served: ${cleanLine(problems)}`);
      return undefined;
    }
  }

  async function all(): Promise<Skill[]> {
    const { skills } = await store().list();
    const own = skills.filter(({ shadowedBy, kind }) =>
      shadowedBy === undefined && kind !== "document"
    ).slice(0, MAX_SERVED);
    return (await Promise.all(own.map(({ name }) => load(name)))).flatMap((skill) => skill ?? []);
  }

  const source: SkillSource = {
    async list() {
      const skills = await Promise.all((await all()).map(entryOf));
      return { skills: skills.flatMap((skill) => skill ?? []) };
    },
    async get(uri) {
      const { name, path } = placeOf(uri);
      const skill = path === SKILL_FILE ? await load(name) : undefined;
      return skill && await entryOf(skill);
    },
    async read(uri) {
      const { name, path } = placeOf(uri);
      const text = (await load(name))?.files.get(path);
      return text === undefined ? undefined : { text };
    },
    async listResources() {
      return (await all()).map(({ name, metadata }): Resource => ({
        uri: `${BASE}${name}/${SKILL_FILE}`,
        name,
        description: metadata.description,
        mimeType: "text/markdown",
      }));
    },
  };
  const extension = new SkillsExtension({
    source,
    baseUri: BASE,
    cacheHint: { ttlMs: TTL_MS, cacheScope: "private" },
    onWarning: ({ message }) => log.debug(message),
  });
  return (server) => extension.attach(server);
}

function placeOf(uri: string): { name: string; path: string } {
  const [name = "", ...rest] = uri.startsWith(BASE) ? uri.slice(BASE.length).split("/") : [];
  // A path is looked up among the skill's own files and never on the disk.
  return { name: /^[a-z0-9-]{1,64}$/.test(name) ? name : "", path: rest.join("/") };
}
