// A session over `servers/media.ts` for tests of what programs get of results that are not text.

import { EMPTY_CONFIG } from "../src/config.ts";
import type { Context } from "../src/context.ts";
import { createLog } from "../src/log.ts";
import type { ServerName } from "../src/names.ts";
import { parsePolicy } from "../src/policy.ts";
import type { StdioSpec } from "../src/server.ts";
import { openSession, type RunOutcome, type RunRequest, type Session } from "../src/session.ts";

/** One session, and a folder that is gone afterwards. */
export interface MediaBench {
  readonly session: Session;
  /** A folder of the test's own. */
  readonly folder: string;
  readonly data: string;
  run(source: string, more?: Partial<RunRequest>): Promise<RunOutcome>;
  /** What a program gives, which must not fail. */
  value(source: string, more?: Partial<RunRequest>): Promise<unknown>;
  /** The error of a program that fails, as a program catches it. */
  caught(expression: string, more?: Partial<RunRequest>): Promise<CaughtError>;
}

/** What a program sees of an error. */
export interface CaughtError {
  readonly name: string;
  readonly message: string;
  readonly kind?: string;
  readonly hint?: string;
  readonly content?: readonly Readonly<Record<string, unknown>>[];
}

const MEDIA: StdioSpec = {
  transport: "stdio",
  name: "media" as ServerName,
  origin: "user",
  command: Deno.execPath(),
  args: ["run", "-A", "--no-lock", new URL("servers/media.ts", import.meta.url).pathname],
  env: {},
};
const BARE: StdioSpec = { ...MEDIA, name: "bare" as ServerName, args: [...MEDIA.args, "bare"] };

/** A test with a session over the servers `media` and `bare`, whose policy is `policy`. */
export function testMedia(
  title: string,
  body: (bench: MediaBench) => Promise<void>,
  { policy = {}, payloads = false }: { policy?: object; payloads?: boolean } = {},
): void {
  Deno.test(title, async () => {
    const folder = await Deno.realPath(await Deno.makeTempDir());
    const data = `${folder}/data`;
    const variables = { PATH: Deno.env.get("PATH") ?? "", HOME: Deno.env.get("HOME") ?? "" };
    const context: Context = {
      args: [],
      env: {
        get: (name) => variables[name as keyof typeof variables],
        toObject: () => variables,
      },
      cwd: folder,
      platform: "linux",
      paths: { home: undefined, config: `${folder}/config`, data },
      writeOut: () => true,
      writeError: () => {},
      readInput: () => Promise.resolve(new Uint8Array()),
      isTerminal: { in: false, out: false, error: false },
      columns: 80,
      signal: new AbortController().signal,
      now: Date.now,
    };
    const place = { name: "user", file: "config.json", warn: () => {} } as const;
    try {
      const session = await openSession(context, {
        specs: new Map([MEDIA, BARE].map((spec) => [spec.name, spec])),
        adHoc: [],
        unnamed: new Set(),
        unusable: new Map(),
        found: [],
        config: { ...EMPTY_CONFIG, journal: { ...EMPTY_CONFIG.journal, payloads } },
        policy: [parsePolicy(policy, place)],
      }, { log: createLog(() => {}) });
      const run: MediaBench["run"] = (source, more = {}) =>
        session.run({ source, path: "main.ts", command: "execute", ...more });
      const value: MediaBench["value"] = async (source, more) => {
        const outcome = await run(source, more);
        if (outcome.error !== undefined) throw outcome.error;
        return outcome.value;
      };
      const caught: MediaBench["caught"] = async (expression, more) =>
        await value(
          `try { await ${expression}; } catch (error) {
             const { name, message, kind, hint, content } = error;
             return { name, message, kind, hint, content };
           }
           throw new Error("expected a failure");`,
          more,
        ) as CaughtError;
      try {
        await body({ session, folder, data, run, value, caught });
      } finally {
        await session.close();
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
