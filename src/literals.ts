// Marks the arguments that came after `--`, so that whoever reads them later can tell them apart.

// No argument of a process can hold it.
const MARK = "\0";

/** The arguments marked, so that those that begin with a hyphen are taken as well. */
export function literalArguments(args: readonly string[]): string[] {
  return args.map((arg) => MARK + arg);
}

/** The argument without its mark; undefined when it has none. */
export function literalText(arg: string): string | undefined {
  return arg.startsWith(MARK) ? arg.slice(MARK.length) : undefined;
}
