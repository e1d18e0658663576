// deno-lint-ignore-file no-console
// Precompiles templates/*.hbs into src/template_generated.ts, so that the program carries the
// runtime of the template engine only and never compiles text. `--check` exits 1 when stale.

import Handlebars from "handlebars";

const FOLDER = new URL("../templates/", import.meta.url);
const TARGET = new URL("../src/template_generated.ts", import.meta.url);

/** The text of the generated module for the templates in `folder`. */
export async function compileTemplates(folder: URL): Promise<string> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    if (entry.name.endsWith(".hbs")) names.push(entry.name.slice(0, -".hbs".length));
  }
  let text = "// @ts-nocheck\n// deno-lint-ignore-file\n// deno-fmt-ignore-file\n" +
    "// Made from templates/*.hbs by `deno task templates`; not to be edited.\n";
  for (const name of names.sort()) {
    const source = await Deno.readTextFile(new URL(`${name}.hbs`, folder));
    const compiled = Handlebars.precompile(source.replaceAll("\r\n", "\n"), {
      knownHelpersOnly: true,
      noEscape: true,
      strict: true,
      preventIndent: true,
    });
    text += `\nexport const ${name} = ${compiled};\n`;
  }
  return text;
}

if (import.meta.main) {
  const wanted = await compileTemplates(FOLDER);
  const present = await Deno.readTextFile(TARGET).catch(() => "");
  if (wanted === present) {
    console.log("Templates are up to date");
  } else if (Deno.args.includes("--check")) {
    console.error("error: src/template_generated.ts is stale\n  hint: deno task templates");
    Deno.exit(1);
  } else {
    await Deno.writeTextFile(TARGET, wanted);
    console.log("Wrote src/template_generated.ts");
  }
}
