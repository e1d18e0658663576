// `completions`: the script that makes a shell ask this program what may follow. The scripts hold
// no names themselves, so that they stay right when commands, servers and tools change.

import { buildCommand } from "@stricli/core";
import { COMPLETE_WORD } from "../complete.ts";
import { AppError } from "../errors.ts";
import { argument, type Invocation } from "../flags.ts";
import { nearestHint } from "../names.ts";
import { quoteText } from "../text.ts";

const BASH = `# bash completion for mcp-exec
_mcp_exec() {
  local line files=
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ $line == :files ]]; then files=1; else COMPREPLY+=("$line"); fi
  done < <(
    mcp-exec ${COMPLETE_WORD} bash "\${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null
  )
  # Alone they are bash's default.
  if [[ $files && \${#COMPREPLY[@]} -gt 0 ]]; then
    while IFS= read -r line; do COMPREPLY+=("$line"); done < <(
      compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"
    )
    compopt -o filenames 2>/dev/null
  fi
  if [[ \${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o default -F _mcp_exec mcp-exec
`;

const ZSH = `#compdef mcp-exec
_mcp_exec() {
  local -a lines values
  lines=("\${(@f)$(mcp-exec ${COMPLETE_WORD} zsh "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if (( \${lines[(Ie):files]} )); then _files; fi
  lines=("\${(@)\${(@)lines:#:files}:#}")
  values=("\${(@)lines%%$'\\t'*}")
  local -a space; if [[ $values[1] == *= ]]; then space=(-S ''); fi
  (( $#values )) && compadd "\${space[@]}" -l -d "lines" -a values
}
if [[ $funcstack[1] == _mcp[-_]exec ]]; then _mcp_exec "$@"; else compdef _mcp_exec mcp-exec; fi
`;

const FISH = `# fish completion for mcp-exec
function __mcp_exec_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (mcp-exec ${COMPLETE_WORD} fish $words[2..-1] 2>/dev/null)
    if contains -- :files $lines
        __fish_complete_path (commandline -ct)
    end
    string match -v -- :files $lines
end
complete -c mcp-exec -f -k -a '(__mcp_exec_complete)'
`;

const POWERSHELL = `# PowerShell completion for mcp-exec
Register-ArgumentCompleter -Native -CommandName mcp-exec -ScriptBlock {
  param($word, $ast, $cursor)
  $line = $ast.ToString().PadRight($cursor).Substring(0, $cursor)
  mcp-exec ${COMPLETE_WORD} powershell $line 2>$null | Where-Object { $_ -ne ':files' } | ForEach-Object {
    $value, $about = $_ -split "\`t", 2
    if (-not $about) { $about = $value }
    [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $about)
  }
}
`;

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  powershell: POWERSHELL,
};

/** The command `completions`. */
export const command = buildCommand<Record<never, never>, [shell: string], Invocation>({
  docs: {
    brief: "Print a script that completes commands, flags, servers and tools",
    customUsage: ["<bash|zsh|fish|powershell>"],
    fullDescription: `Prints a script for a shell. With it, Tab completes commands, flags and their
values, names of servers and skills, tools of a server and their parameters; names of tools come
from the saved index, which "introspect" and every run fill.

EXAMPLES
  bash        eval "$(mcp-exec completions bash)"              in ~/.bashrc
  zsh         eval "$(mcp-exec completions zsh)"               in ~/.zshrc, after compinit
  fish        mcp-exec completions fish | source               in ~/.config/fish/config.fish
  powershell  mcp-exec completions powershell | Out-String | Invoke-Expression   in $PROFILE`,
  },
  parameters: {
    positional: {
      kind: "tuple",
      parameters: [argument("The shell", Object.keys(SCRIPTS).join("|"))],
    },
  },
  func(_flags, shell) {
    if (!Object.hasOwn(SCRIPTS, shell)) {
      const known = Object.keys(SCRIPTS);
      throw new AppError("usage", `Shell ${quoteText(shell)} is not known`, {
        hint: nearestHint(shell, { known, otherwise: `it is one of ${known.join(", ")}` }),
      });
    }
    const script = SCRIPTS[shell]!;
    if (this.output.format === "json") this.output.document({ ok: true, shell, script });
    else this.output.print(script.trimEnd());
  },
});
