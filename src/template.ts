// The precompiled templates as typed functions. Every value that goes in is text that was already
// escaped for its place; nothing is compiled here, and a value that is missing is an error.

// @ts-types="handlebars"
import Handlebars from "handlebars/runtime.js";
import * as compiled from "./template_generated.ts";

/** The parts of the module of one tool, each escaped for its place. */
export interface ToolParts {
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
}

/** The parts of a package's index. */
export interface IndexParts {
  /** One line of comment text. */
  readonly title: string;
  /** File names, and comments with their space and slashes in front, or nothing. */
  readonly tools: readonly { readonly file: string; readonly note: string }[];
}

/** The parts of a package's shared types: names, and expressions. */
export interface TypesParts {
  readonly definitions: readonly { readonly name: string; readonly text: string }[];
}

/** The parts of the declaration of one tool: as those of its module, indented. */
export type DeclarationParts = Omit<ToolParts, "imports" | "server" | "tool">;

/** The parts of a file of ambient modules. */
export interface DeclarationsParts {
  /** The first line, a comment. */
  readonly marker: string;
  /** Specifiers as string literals, and what they declare. */
  readonly modules: readonly { readonly specifier: string; readonly body: string }[];
}

/** The parts of a skill's SKILL.md. */
export interface SkillParts {
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
  /** Whether to teach `search`, `result`, `--session` and `skill save`. */
  readonly search: boolean;
  readonly results: boolean;
  readonly sessions: boolean;
  readonly saving: boolean;
}

/** The parts of one file of a reference. */
export interface ReferenceParts {
  readonly title: string;
  readonly note: string;
  /** Items of a list, and sections, as Markdown. */
  readonly contents: readonly string[];
  readonly sections: readonly string[];
}

/** The parts of the section of one tool in a reference. */
export interface SectionParts {
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
}

/** The module of one tool. */
export function renderTool(parts: ToolParts): string {
  return render("tool", parts);
}

/** The index of a package. */
export function renderIndex(parts: IndexParts): string {
  return render("index", parts);
}

/** The shared types of a package. */
export function renderTypes(parts: TypesParts): string {
  return render("types", parts);
}

/** The declarations of what the sandbox offers; the same for every package. */
export function renderHost(): string {
  return render("host", { types: renderHostTypes().trimEnd() });
}

/** The types of what the sandbox offers, on their own. */
export function renderHostTypes(): string {
  return render("host_types", {});
}

/** One tool as a declaration. */
export function renderDeclaration(parts: DeclarationParts): string {
  return render("declaration", parts);
}

/** A file of ambient modules. */
export function renderDeclarations(parts: DeclarationsParts): string {
  return render("declarations", parts);
}

/** The file SKILL.md of a skill. */
export function renderSkill(parts: SkillParts): string {
  return render("skill", parts);
}

/** One file of a reference. */
export function renderReference(parts: ReferenceParts): string {
  return render("reference", parts);
}

/** The section of one tool in a reference. */
export function renderSection(parts: SectionParts): string {
  return render("section", parts);
}

type Template = (parts: object) => string;

let engine: typeof Handlebars | undefined;
const ready = new Map<string, Template>();

function render(name: keyof typeof compiled, parts: object): string {
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
