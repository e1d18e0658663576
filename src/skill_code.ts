// The code of a skill in the two forms it is kept in: all generated files as one, and the tools as
// one module that the sandbox runs without a parser of TypeScript. Reads it back as untrusted text.

import { jsonText, stringLiteral } from "./escape.ts";
import type { ServerPlan } from "./plan.ts";
import type { FileSet } from "./vfs.ts";

/** All generated code of a skill as one file: `{"format_version", "files": {"/path": "text"}}`. */
export const CODE_FILE = "vfs.json";
/** The code as one module that the sandbox runs as it is. */
export const MODULE_FILE = "module.js";

const CODE_FORMAT = 1;

/** The text of the file that holds all of `files`, by absolute path and sorted. */
export function writeCode(files: FileSet): string {
  const sorted = [...files].sort(([a], [b]) => a < b ? -1 : 1);
  return jsonText({
    format_version: CODE_FORMAT,
    files: Object.fromEntries(sorted.map(([path, text]) => [`/${path}`, text])),
  });
}

/** The files in the text of a code file by absolute path; none where it is not one. */
export function readCode(text: string | undefined): ReadonlyMap<string, string> {
  try {
    const { format_version, files } = JSON.parse(text ?? "") as Record<string, unknown>;
    if (format_version !== CODE_FORMAT || typeof files !== "object" || files === null) {
      return new Map();
    }
    return new Map(
      Object.entries(files).filter((entry): entry is [string, string] =>
        entry[0].startsWith("/") && typeof entry[1] === "string"
      ),
    );
  } catch {
    return new Map();
  }
}

/** The functions of all tools of a server as one module of plain JavaScript. */
export function writeToolModule({ info, tools }: ServerPlan): string {
  const server = stringLiteral(info.name);
  // Local names of their own, so that no function's name meets that of another binding.
  const functions = tools.map(({ tool }, at) =>
    `const f${at} = async (params) => await call(${server}, ${stringLiteral(tool)}, params);\n`
  );
  const exports = tools.map(({ functionName }, at) => `  f${at} as ${functionName},\n`);
  return `import { callTool as call } from "./host.ts";\n${functions.join("")}export {\n${
    exports.join("")
  }};\n`;
}
