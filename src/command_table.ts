// Every command in one table: its line in the help, where it is, and what of the machine it needs.
// Nothing of a command is loaded here before it was named.

import type { Command } from "@stricli/core";
import type { CommandGroup, Invocation } from "./flags.ts";

/** What a command may need of the machine beside reading: the rest is given back before it runs. */
export type Use = "net" | "run" | "write";

/** A command in the table. */
export interface CommandEntry {
  readonly brief: string;
  /** By the second word, where a command stands for several; what is not named may use everything. */
  readonly uses: readonly Use[] | Readonly<Record<string, readonly Use[]>>;
  readonly load: () => Promise<Command<Invocation> | CommandGroup>;
}

const SERVERS: readonly Use[] = ["net", "run", "write"];
const FILES: readonly Use[] = ["write"];
const NOTHING: readonly Use[] = [];

/** Every command: its line in the help, and where it is. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  introspect: {
    brief: "Show a server's tools as TypeScript signatures",
    uses: SERVERS,
    load: async () => (await import("./commands/introspect.ts")).command,
  },
  generate: {
    brief: "Write a server's tools as a skill for agents, or as TypeScript",
    uses: SERVERS,
    load: async () => (await import("./commands/generate.ts")).command,
  },
  execute: {
    brief: "Run a TypeScript program in the sandbox, with servers to call",
    uses: SERVERS,
    load: async () => (await import("./commands/execute.ts")).command,
  },
  call: {
    brief: "Call one tool",
    uses: SERVERS,
    load: async () => (await import("./commands/call.ts")).command,
  },
  result: {
    brief: "Show a large or binary result again, by its handle",
    uses: FILES,
    load: async () => (await import("./commands/result.ts")).command,
  },
  search: {
    brief: "Find tools by a few words, without starting a server",
    uses: FILES,
    load: async () => (await import("./commands/search.ts")).command,
  },
  serve: {
    brief: "Serve search, programs and skills to MCP clients",
    uses: SERVERS,
    load: async () => (await import("./commands/serve.ts")).command,
  },
  daemon: {
    brief: "Keep servers and the sandbox warm for other commands",
    uses: SERVERS,
    load: async () => (await import("./commands/daemon.ts")).command,
  },
  skill: {
    brief: "List, verify, run, save and remove skills",
    uses: {
      list: FILES,
      info: FILES,
      remove: FILES,
      load: SERVERS,
      verify: SERVERS,
      save: SERVERS,
    },
    load: async () => (await import("./commands/skill.ts")).command,
  },
  server: {
    brief: "List, add, import, validate servers; trust those of a project",
    uses: {
      list: FILES,
      info: FILES,
      trust: FILES,
      remove: FILES,
      import: FILES,
      add: SERVERS,
      validate: SERVERS,
      login: SERVERS,
      logout: SERVERS,
    },
    load: async () => (await import("./commands/server.ts")).command,
  },
  config: {
    brief: "Show and change settings",
    uses: FILES,
    load: async () => (await import("./commands/config.ts")).command,
  },
  stats: {
    brief: "Show figures of runs, calls, latencies and tokens",
    uses: FILES,
    load: async () => (await import("./commands/stats.ts")).command,
  },
  debug: {
    brief: "Show what the program uses, and what is wrong with it",
    uses: {
      info: FILES,
      // Its daemon is asked over a socket of this machine.
      connections: ["net", "write"],
      cache: FILES,
      runtime: FILES,
      policy: FILES,
      doctor: SERVERS,
    },
    load: async () => (await import("./commands/debug.ts")).command,
  },
  completions: {
    brief: "Print a script that completes commands, flags, servers and tools",
    uses: NOTHING,
    load: async () => (await import("./commands/completions.ts")).command,
  },
  demo: {
    brief: "Show the whole loop on the built-in server, offline",
    uses: FILES,
    load: async () => (await import("./commands/demo.ts")).command,
  },
};

/** What the command `name` followed by `word` does not need. */
export function unused(name: string, word: string | undefined): Use[] {
  const { uses } = COMMANDS[name]!;
  const named = isList(uses) ? uses : Object.hasOwn(uses, word ?? "") ? uses[word!] : undefined;
  const kept = named ?? SERVERS;
  return SERVERS.filter((use) => !kept.includes(use));
}

/** The commands that `word` is known to follow, such as "server" for "add". */
export function commandsBefore(word: string): string[] {
  return Object.entries(COMMANDS)
    .filter(([, { uses }]) => !isList(uses) && Object.hasOwn(uses, word))
    .map(([name]) => name);
}

function isList(uses: CommandEntry["uses"]): uses is readonly Use[] {
  return Array.isArray(uses);
}
