// The precompiled templates, and what goes into each. Every value is text that was already escaped
// for its place; nothing is compiled here, and a value that is missing is an error.

// @ts-types="handlebars"
import Handlebars from "handlebars/runtime.js";
import * as compiled from "./template_generated.ts";

/** What each template is made of, every text escaped for its place. */
export interface TemplateParts {
  /** The module of one tool. */
  readonly tool: {
    /** Import lines with their line ends, or nothing. */
    readonly imports: string;
    /** The doc comment with its line end, or nothing. */
    readonly doc: string;
    readonly functionName: string;
    /** What the names of its types begin with. */
    readonly typeName: string;
    /** Types as expressions. */
    readonly params: string;
    readonly result: string;
    /** `?` where the parameters may be left out, else nothing. */
    readonly optional: string;
    /** The names for the call as string literals. */
    readonly server: string;
    readonly tool: string;
  };
  /** The index of a package. */
  readonly index: {
    /** One line of comment text. */
    readonly title: string;
    /** File names, and comments with their space and slashes in front, or nothing. */
    readonly tools: readonly { readonly file: string; readonly note: string }[];
  };
  /** The shared types of a package: names, and expressions. */
  readonly types: {
    readonly definitions: readonly { readonly name: string; readonly text: string }[];
  };
  /** The types of what the sandbox offers; the same for every package. */
  readonly host_types: Readonly<Record<string, never>>;
  /** The declarations of what the sandbox offers. */
  readonly host: { readonly types: string };
  /** One tool as a declaration: the parts of its module, indented. */
  readonly declaration: Omit<TemplateParts["tool"], "imports" | "server" | "tool">;
  /** A file of ambient modules. */
  readonly declarations: {
    /** The first line, a comment. */
    readonly marker: string;
    /** Specifiers as string literals, and what they declare. */
    readonly modules: readonly { readonly specifier: string; readonly body: string }[];
  };
  /** The file SKILL.md of a skill. */
  readonly skill: {
    /** Name and description of the skill as YAML. */
    readonly name: string;
    readonly description: string;
    readonly title: string;
    readonly server: string;
    /** What the server is for and when to use it. */
    readonly purpose: string;
    /** What the server says about itself as a quotation, or nothing. */
    readonly instructions: string;
    /** Flags behind each command with their space in front, or nothing. */
    readonly reach: string;
    /** A tool's name as shell text, and a program; none for a server without tools. */
    readonly sample: { readonly tool: string; readonly program: string } | undefined;
    /** The tools as Markdown. */
    readonly listing: string;
  };
  /** One file of a reference. */
  readonly reference: {
    readonly title: string;
    readonly note: string;
    /** Items of a list, and sections, as Markdown. */
    readonly contents: readonly string[];
    readonly sections: readonly string[];
  };
  /** The section of one tool in a reference. */
  readonly section: {
    /** The name of the function as Markdown. */
    readonly title: string;
    /** The wire name as a code span. */
    readonly tool: string;
    /** What it does with a colon in front, or nothing. */
    readonly about: string;
    /** A block of code. */
    readonly code: string;
    /** A list, or nothing. */
    readonly parameters: string;
  };
}

type Template = (parts: object) => string;

let engine: typeof Handlebars | undefined;
const ready = new Map<string, Template>();

/** The text of the template `name` with `parts` in their places; throws where one is missing. */
export function render<Name extends keyof TemplateParts>(
  name: Name,
  parts: TemplateParts[Name],
): string {
  const template = ready.get(name) ?? createEngine().template(compiled[name]) as Template;
  ready.set(name, template);
  return template(parts);
}

function createEngine(): typeof Handlebars {
  if (engine !== undefined) return engine;
  engine = Handlebars.create();
  // Every call of a template wraps every helper there is.
  for (const name of Object.keys(engine.helpers)) {
    if (name !== "if") engine.unregisterHelper(name);
  }
  // The one that comes with the package prints nothing for a list that is missing.
  engine.registerHelper("each", (items: unknown, options: Handlebars.HelperOptions) => {
    if (!Array.isArray(items)) throw new TypeError("A list of the template is missing");
    let text = "";
    for (const item of items) text += options.fn(item);
    return text;
  });
  return engine;
}
