import assert from "node:assert/strict";
// @ts-types="handlebars"
import Handlebars from "handlebars/runtime.js";
import { compileTemplates } from "../scripts/templates.ts";
import {
  type IndexParts,
  renderHost,
  renderIndex,
  renderTool,
  renderTypes,
  type ToolParts,
} from "../src/template.ts";

const TOOL: ToolParts = {
  imports: "",
  doc: "/** Says hello. */\n",
  functionName: "sayHello",
  typeName: "SayHello",
  params: "{ name: string }",
  result: "unknown",
  optional: "",
  server: '"demo"',
  tool: '"say_hello"',
};

Deno.test("renderTool puts every part in its place and changes none of them", () => {
  assert.equal(
    renderTool(TOOL),
    `import { callTool } from "./host.ts";

export type SayHelloParams = { name: string };

export type SayHelloResult = unknown;

/** Says hello. */
export async function sayHello(params: SayHelloParams): Promise<SayHelloResult> {
  return await callTool<SayHelloResult>("demo", "say_hello", params);
}
`,
  );
  const odd = "<&>\"'`{{tool}}{{{doc}}} \\ $& ${x}";
  assert.ok(renderTool({ ...TOOL, doc: odd }).includes(odd));
});

Deno.test("renderTool fails on a part that is missing instead of leaving a blank (G8)", () => {
  for (const part of Object.keys(TOOL)) {
    const parts: Record<string, string> = { ...TOOL };
    delete parts[part];
    assert.throws(() => renderTool(parts as unknown as ToolParts), new RegExp(`"${part}"`));
  }
});

Deno.test("renderIndex and renderTypes fail on a missing list or part (G8)", () => {
  const index: IndexParts = { title: "Demo", tools: [{ file: "a.ts", note: " // A" }] };
  assert.equal(
    renderIndex(index),
    '// Demo\nexport * from "./a.ts"; // A\nexport * from "./types.ts";\n',
  );
  assert.throws(() => renderIndex({ title: "Demo" } as IndexParts), /list/);
  assert.throws(
    () => renderIndex({ title: "Demo", tools: [{ file: "a.ts" }] } as unknown as IndexParts),
    /"note"/,
  );
  assert.ok(renderTypes({ definitions: [] }).includes("export {};"));
  assert.throws(() => renderTypes({} as never), /list/);
  assert.throws(() => renderTypes({ definitions: [{ name: "A" }] as never }), /"text"/);
});

Deno.test("renderHost is the same each time", () => {
  assert.equal(renderHost(), renderHost());
  assert.match(renderHost(), /callTool,/);
});

Deno.test("compileTemplates gives the committed module", async () => {
  const committed = await Deno.readTextFile(
    new URL("../src/template_generated.ts", import.meta.url),
  );
  assert.equal(
    await compileTemplates(new URL("../templates/", import.meta.url)),
    committed,
    "run: deno task templates",
  );
});

Deno.test("compileTemplates makes an unknown placeholder an error and escapes nothing (G8)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/one.hbs`, "{{known}} {{unknown}}");
    const module = await compileTemplates(new URL(`file://${folder}/`));
    const source = module.slice(
      module.indexOf("export const one = ") + "export const one = ".length,
    );
    const template = Handlebars.template(new Function(`return ${source}`)());
    assert.throws(() => template({ known: "a" }), /"unknown" not defined/);
    assert.equal(template({ known: "<b>", unknown: "&" }), "<b> &");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
