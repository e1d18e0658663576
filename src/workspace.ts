// The folder of the machine that a program may read, and write where the user said so, as
// `/workspace`. Nothing outside of it is ever reached, and no link below it is followed.

import { writeFileAtomic } from "./disk.ts";
import { AppError } from "./errors.ts";
import {
  formatBytes,
  MAX_WORKSPACE_FILE_BYTES,
  MAX_WORKSPACE_NAMES,
  MAX_WORKSPACE_WRITTEN_BYTES,
} from "./limits.ts";
import { listInside, readInside, realFolder } from "./inside.ts";
import { quoteText } from "./text.ts";

/** Where programs see the workspace. */
export const WORKSPACE_FOLDER = "/workspace";

/** The workspace of one run; paths are relative to it, normalised, with `/` between the parts. */
export interface Workspace {
  /** The text of a file; throws `invalid` for what is absent, too large or no UTF-8 text. */
  read(path: string): Promise<string>;
  /** Sorted names in a folder, folders with a `/` behind; links are left out. */
  list(path: string): Promise<string[]>;
  /**
   * Replaces a file in one step and makes the folders above it. Throws `denied` when the workspace
   * is read-only or a link is in the way, `limit` beyond what a run may write.
   */
  write(path: string, data: string | Uint8Array): Promise<void>;
}

/** How a workspace is opened. */
export interface WorkspaceOptions {
  readonly folder: string;
  /** Where a relative one starts. */
  readonly from?: string;
  readonly writable: boolean;
}

/** Opens the folder as a workspace; an `invalid` error when it is not there. */
export async function openWorkspace(
  { folder, from, writable }: WorkspaceOptions,
): Promise<Workspace> {
  const root = await realFolder(folder, from);
  let written = 0;
  return {
    async read(path) {
      const bytes = await readInside(root, path, { maxBytes: MAX_WORKSPACE_FILE_BYTES });
      try {
        return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      } catch {
        throw new AppError("invalid", `File ${quoteText(path)} is not valid UTF-8 text`);
      }
    },
    list: (path) => Promise.try(() => listInside(root, path, { maxNames: MAX_WORKSPACE_NAMES })),
    async write(path, data) {
      if (!writable) {
        throw new AppError("denied", "Workspace is read-only", {
          hint: "the user can allow it with --workspace-write",
        });
      }
      if (path === "") throw new AppError("invalid", "Path does not name a file");
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      if (bytes.length > MAX_WORKSPACE_FILE_BYTES) {
        refuse(`File ${quoteText(path)}`, bytes.length, MAX_WORKSPACE_FILE_BYTES);
      }
      if (written + bytes.length > MAX_WORKSPACE_WRITTEN_BYTES) {
        refuse("All that was written", written + bytes.length, MAX_WORKSPACE_WRITTEN_BYTES);
      }
      // Counted before the write, so that many at once cannot pass together.
      written += bytes.length;
      try {
        await writeFileAtomic(`${root}/${path}`, bytes, { within: root });
      } catch (error) {
        throw withoutRoot(error, { root, path });
      }
    },
  };
}

function refuse(what: string, value: number, limit: number): never {
  throw new AppError("limit", `${what} is ${formatBytes(value)}, more than ${formatBytes(limit)}`, {
    limit: { name: "workspace", limit, value },
  });
}

// A program learns nothing of where its workspace is.
function withoutRoot(error: unknown, { root, path }: { root: string; path: string }): AppError {
  const kind = error instanceof AppError && error.kind === "denied" ? "denied" : "failure";
  const message = error instanceof Error ? error.message.replaceAll(root, WORKSPACE_FOLDER) : "";
  return new AppError(kind, message || `Cannot write ${quoteText(path)}`, { cause: error });
}
