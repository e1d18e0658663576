import assert from "node:assert/strict";
// @ts-types="handlebars"
import Handlebars from "handlebars/runtime.js";
import { compileTemplates } from "../scripts/templates.ts";
import {
  type IndexParts,
  renderDeclaration,
  renderDeclarations,
  renderHost,
  renderHostTypes,
  renderIndex,
  renderReference,
  renderSection,
  renderSkill,
  renderTool,
  renderTypes,
  type SkillParts,
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

const SKILL: SkillParts = {
  name: '"demo"',
  description: '"Does things."',
  title: "demo",
  server: "demo",
  purpose: "Things.",
  instructions: "> Said.",
  reach: "",
  sample: { tool: "a", program: "export default 1;" },
  listing: "- a",
  search: true,
  results: true,
  sessions: true,
  saving: true,
};

Deno.test("renderSkill and its like fail on a part that is missing (G8)", () => {
  const fails = <Parts extends object>(render: (parts: Parts) => string, parts: Parts) => {
    assert.ok(render(parts).length > 0);
    for (const part of Object.keys(parts)) {
      const { [part as keyof Parts]: _, ...others } = parts;
      // A switch that is missing counts as off.
      if (typeof parts[part as keyof Parts] === "boolean" || part === "sample") continue;
      if (part === "instructions" || part === "parameters") continue;
      assert.throws(() => render(others as Parts), /not defined|list/, part);
    }
  };
  fails(renderSkill, SKILL);
  fails(renderReference, { title: "a", note: "b", contents: ["- c"], sections: ["## d"] });
  fails(renderSection, { title: "a", tool: "`a`", about: "", code: "```", parameters: "- x" });
  fails(renderDeclarations, { marker: "// m", modules: [{ specifier: '"x"', body: "" }] });
  const { imports: _, server: __, tool: ___, ...declaration } = TOOL;
  fails(renderDeclaration, declaration);
});

Deno.test("renderSkill leaves out what it is not given", () => {
  const text = renderSkill({
    ...SKILL,
    instructions: "",
    sample: undefined,
    listing: "",
  });
  assert.equal(text, '---\nname: "demo"\ndescription: "Does things."\n---\n\n# demo\n\nThings.\n');
});

Deno.test("renderHost is the same each time", () => {
  assert.equal(renderHost(), renderHost());
  assert.match(renderHost(), /callTool,/);
  assert.ok(renderHost().includes(renderHostTypes()));
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
