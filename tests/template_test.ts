import assert from "node:assert/strict";
// @ts-types="handlebars"
import Handlebars from "handlebars/runtime.js";
import { compileTemplates } from "../scripts/templates.ts";
import { render, type TemplateParts } from "../src/template.ts";

const TOOL: TemplateParts["tool"] = {
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

Deno.test("render puts every part in its place and changes none of them", () => {
  assert.equal(
    render("tool", TOOL),
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
  assert.ok(render("tool", { ...TOOL, doc: odd }).includes(odd));
});

Deno.test("render fails on a part that is missing from a module instead of leaving a blank (G8)", () => {
  for (const part of Object.keys(TOOL)) {
    const parts: Record<string, string> = { ...TOOL };
    delete parts[part];
    assert.throws(
      () => render("tool", parts as unknown as TemplateParts["tool"]),
      new RegExp(`"${part}"`),
    );
  }
});

Deno.test("render fails on a missing list or part of an index (G8)", () => {
  const index: TemplateParts["index"] = { title: "Demo", tools: [{ file: "a.ts", note: " // A" }] };
  assert.equal(
    render("index", index),
    '// Demo\nexport * from "./a.ts"; // A\nexport * from "./types.ts";\n',
  );
  assert.throws(() => render("index", { title: "Demo" } as TemplateParts["index"]), /list/);
  assert.throws(
    () =>
      render(
        "index",
        { title: "Demo", tools: [{ file: "a.ts" }] } as unknown as TemplateParts["index"],
      ),
    /"note"/,
  );
  assert.ok(render("types", { definitions: [] }).includes("export {};"));
  assert.throws(() => render("types", {} as never), /list/);
  assert.throws(() => render("types", { definitions: [{ name: "A" }] as never }), /"text"/);
});

const SKILL: TemplateParts["skill"] = {
  name: '"demo"',
  description: '"Does things."',
  title: "demo",
  server: "demo",
  purpose: "Things.",
  instructions: "> Said.",
  reach: "",
  sample: { tool: "a", program: "export default 1;" },
  listing: "- a",
};

Deno.test("render fails on a part that is missing from a document (G8)", () => {
  const fails = <Name extends keyof TemplateParts>(name: Name, parts: TemplateParts[Name]) => {
    assert.ok(render(name, parts).length > 0);
    for (const part of Object.keys(parts)) {
      const { [part as keyof typeof parts]: _, ...others } = parts;
      // What is missing counts as nothing where nothing is allowed.
      if (["sample", "instructions", "parameters"].includes(part)) continue;
      assert.throws(() => render(name, others as typeof parts), /not defined|list/, part);
    }
  };
  fails("skill", SKILL);
  fails("reference", { title: "a", note: "b", contents: ["- c"], sections: ["## d"] });
  fails("section", { title: "a", tool: "`a`", about: "", code: "```", parameters: "- x" });
  fails("declarations", { marker: "// m", modules: [{ specifier: '"x"', body: "" }] });
  const { imports: _, server: __, tool: ___, ...declaration } = TOOL;
  fails("declaration", declaration);
});

Deno.test("render leaves out of a skill what it is not given", () => {
  const text = render("skill", {
    ...SKILL,
    instructions: "",
    sample: undefined,
    listing: "",
  });
  assert.equal(text, '---\nname: "demo"\ndescription: "Does things."\n---\n\n# demo\n\nThings.\n');
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
