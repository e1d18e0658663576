// Everything a command may touch of the machine comes in through a Context, so that tests hand in
// their own and nothing below reads the process's arguments, environment or console.

/** The ways of printing: `pretty` on a terminal, `text` in a pipe, `json` for programs. */
export type OutputFormat = "json" | "text" | "pretty";

/** Environment variables, as far as the program may read them. */
export interface Environment {
  get(name: string): string | undefined;
  toObject(): Record<string, string>;
}

/** Folders of the program, absolute. */
export interface Paths {
  /** The person's home folder; undefined where the machine names none. */
  readonly home: string | undefined;
  /** Own configuration: `config.json` lives here. */
  readonly config: string;
  /** Database, handles, cached engine. */
  readonly data: string;
}

/** What a command may touch. */
export interface Context {
  readonly args: readonly string[];
  readonly env: Environment;
  readonly cwd: string;
  readonly platform: "linux" | "darwin" | "windows";
  readonly paths: Paths;
  /** Writes results. Returns false once the reader has gone, so that a command may stop early. */
  writeOut(text: string): boolean;
  /** Writes everything that is not a result. */
  writeError(text: string): void;
  /** All of standard input, read to its end; fails beyond `maxBytes`. */
  readInput(maxBytes: number): Promise<Uint8Array>;
  readonly isTerminal: { readonly in: boolean; readonly out: boolean; readonly error: boolean };
  /** Width of the terminal in columns. */
  readonly columns: number;
  /** Aborted on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** Milliseconds since 1970, by the wall clock. */
  now(): number;
}
