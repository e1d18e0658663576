// `result`: the content behind a handle again, whole or a part of it, to the screen, a pipe or a
// file. Binary content never reaches a terminal.

import { buildCommand } from "@stricli/core";
import { dataFile } from "../context.ts";
import { type Database, withDatabase } from "../database.ts";
import { writeFileAtomic } from "../disk.ts";
import { AppError } from "../errors.ts";
import { argument, type Invocation, textFlag } from "../flags.ts";
import { createHandleStore, type Handle, type Slice } from "../handles.ts";
import { formatBytes } from "../limits.ts";
import { quotePath } from "../read.ts";
import { quoteText } from "../text.ts";

interface Flags {
  readonly slice?: Slice | undefined;
  readonly output?: string | undefined;
}

/** The command `result`. */
export const command = buildCommand<Flags, [handle: string], Invocation>({
  docs: {
    brief: "Show a large or binary result again, by its handle",
    customUsage: ["<handle> [--slice A:B] [--output FILE]"],
    fullDescription:
      `Prints what a handle stands for. Runs and calls give handles for pictures, sound
and other binary content, for results too large for a program, and with --preview. They last for a
day. Binary content goes to a file or a pipe; as JSON it is base64.

EXAMPLES
  mcp-exec result HANDLE --slice 0:2000
  mcp-exec result HANDLE --slice 2000:
  mcp-exec result HANDLE --output picture.png
  mcp-exec result HANDLE | jq '.items | length'`,
  },
  parameters: {
    flags: {
      slice: { ...textFlag("Bytes to show, the last one not included", "A:B"), parse: toSlice },
      output: textFlag("Write it to this file, replacing one that is there", "FILE"),
    },
    positional: { kind: "tuple", parameters: [argument("A handle", "handle")] },
  },
  async func({ slice, output: file }, id) {
    const { context, output, log } = this;
    const warn = (message: string) => log.warn(message);
    const work = async (database: Database) => {
      const handles = createHandleStore(database, {
        folder: dataFile(context.paths, "handles"),
        now: context.now,
        warn,
      });
      const data = await handles.read(id, slice);
      const handle = handles.find(id)!;
      if (file !== undefined) return await writeOutput(this, { file, data, handle });
      if (output.format === "json") return output.document(documentOf(handle, { data, slice }));
      if (handle.isText) return output.value(new TextDecoder().decode(data));
      if (context.isTerminal.out) {
        throw new AppError(
          "usage",
          `Handle "${handle.id}" is ${handle.type}, ${formatBytes(handle.bytes)}: no text to show`,
          { hint: `mcp-exec result ${handle.id} --output FILE` },
        );
      }
      context.writeOut(data);
    };
    await withDatabase(context, { warn, work });
  },
});

function documentOf(
  { id, type, bytes, isText, expiresAt }: Handle,
  { data, slice }: { readonly data: Uint8Array; readonly slice: Slice | undefined },
) {
  return {
    ok: true,
    handle: id,
    type,
    bytes,
    expires: new Date(expiresAt).toISOString(),
    ...(slice !== undefined && { slice: { start: slice.start ?? 0, end: slice.end ?? bytes } }),
    ...(isText ? { text: new TextDecoder().decode(data) } : { base64: data.toBase64() }),
  };
}

async function writeOutput(
  { output, log }: Invocation,
  { file, data, handle }: {
    readonly file: string;
    readonly data: Uint8Array;
    readonly handle: Handle;
  },
): Promise<void> {
  await writeFileAtomic(file, data);
  if (output.format === "json") {
    const { id, type } = handle;
    output.document({ ok: true, handle: id, type, bytes: data.length, output: file });
  } else log.info(`wrote ${formatBytes(data.length)} to ${quotePath(file)}`);
}

function toSlice(text: string): Slice {
  const [, start, end] = /^(\d{0,12}):(\d{0,12})$/.exec(text) ?? [];
  if (start === undefined || end === undefined) {
    throw new AppError("usage", `Slice must look like 0:2000 or 2000:, got ${quoteText(text)}`);
  }
  return {
    ...(start !== "" && { start: Number(start) }),
    ...(end !== "" && { end: Number(end) }),
  };
}
