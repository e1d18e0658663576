// Runs our command line the way a person does: a real process in a folder of its own, with its own
// home, configuration and data.

import { RUN_FLAGS } from "../../scripts/test.ts";

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** The command line as words, for whoever starts it by itself. */
export const COMMAND = [Deno.execPath(), "run", "-A", ...RUN_FLAGS, MAIN];

/** What a process left behind. */
export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** A temporary folder to run the program in; removed with the block it stands in. */
export async function makePlace(): Promise<Place> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "mcp-exec-" }));
  return {
    folder,
    write: (name, text) => Deno.writeTextFile(`${folder}/${name}`, text),
    async run(...args) {
      const output = await new Deno.Command(COMMAND[0]!, {
        args: [...COMMAND.slice(1), ...args],
        cwd: folder,
        env: placeEnv(folder),
        stdin: "null",
      }).output();
      const decoder = new TextDecoder();
      return {
        code: output.code,
        out: decoder.decode(output.stdout),
        error: decoder.decode(output.stderr),
      };
    },
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

/** A folder and the program run inside it. */
export interface Place extends AsyncDisposable {
  readonly folder: string;
  write(name: string, text: string): Promise<void>;
  run(...args: string[]): Promise<Ended>;
}

/** Keeps configuration and data of a run inside `folder`; packages stay where they are cached. */
export function placeEnv(folder: string): Record<string, string> {
  return {
    XDG_CONFIG_HOME: `${folder}/config`,
    XDG_DATA_HOME: `${folder}/data`,
    NO_COLOR: "1",
    DENO_NO_UPDATE_CHECK: "1",
  };
}
