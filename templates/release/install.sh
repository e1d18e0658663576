#!/bin/sh
# Installs mcp-exec @VERSION@: takes the archive for this system, checks its SHA-256 against the one
# below, tries the program, and puts it in place in one step. Until then nothing is changed.
#
#   curl -fsSL @URL@/install.sh | sh
#
#   MCP_EXEC_INSTALL_DIR  folder for the program (~/.local/bin)
#   MCP_EXEC_BASE_URL     where the archive is taken from
#   MCP_EXEC_TARGET       one of @TARGETS@
set -eu

fail() {
  printf 'error: %s\n' "$1" >&2
  if [ $# -gt 1 ]; then printf '  hint: %s\n' "$2" >&2; fi
  exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

find_target() {
  system=$(uname -s)
  machine=$(uname -m)
  if [ "$system" = Darwin ] && [ "$(sysctl -n sysctl.proc_translated 2>/dev/null)" = 1 ]; then
    machine=arm64 # a shell for Intel on Apple's own processor
  fi
  case $machine in
    x86_64 | amd64) machine=x86_64 ;;
    arm64 | aarch64) machine=aarch64 ;;
  esac
  case $system in
    Linux)
      case $(ldd --version 2>&1) in
        *musl*) fail "mcp-exec needs glibc, and this system has musl" ;;
      esac
      printf '%s-unknown-linux-gnu' "$machine"
      ;;
    Darwin) printf '%s-apple-darwin' "$machine" ;;
    *) printf '%s-%s' "$machine" "$system" ;;
  esac
}

sum_of() {
  case $1 in
@SUMS@
  esac
}

fetch() {
  if has curl; then
    case $1 in
      https://*) curl -fsSL --retry 2 --proto '=https' --tlsv1.2 -o "$2" "$1" ;;
      *) curl -fsSL -o "$2" "$1" ;;
    esac
  elif has wget; then
    wget -q -O "$2" "$1"
  else
    fail "Neither curl nor wget is installed"
  fi
}

sha256() {
  if has sha256sum; then
    sha256sum <"$1"
  elif has shasum; then
    shasum -a 256 <"$1"
  elif has openssl; then
    openssl dgst -sha256 -r <"$1"
  else
    fail "Nothing here can check a SHA-256" "install coreutils or openssl"
  fi
}

# Manual page and completions: good to have, and no reason to fail.
place() {
  { mkdir -p "${2%/*}" && cp "$1" "$2.$$" && mv -f "$2.$$" "$2"; } 2>/dev/null || rm -f "$2.$$"
}

main() {
  folder=${MCP_EXEC_INSTALL_DIR:-${HOME:?}/.local/bin}
  folder=${folder%/}
  case $folder in
    /*) ;;
    *) folder=$PWD/$folder ;; # it is put into a line for PATH, and may begin with a hyphen
  esac
  base=${MCP_EXEC_BASE_URL:-@URL@}
  target=${MCP_EXEC_TARGET:-$(find_target)}
  wanted=$(sum_of "$target")
  [ -n "$wanted" ] || fail "There is no mcp-exec for $target" "npx mcp-exec runs wherever Deno does"
  [ ! -d "$folder/mcp-exec" ] || fail "$folder/mcp-exec is a folder"

  name=mcp-exec-@VERSION@-$target
  staged=
  work=$(mktemp -d)
  trap 'rm -rf "$work"; [ -z "$staged" ] || rm -f "$staged"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP

  fetch "$base/$name.tar.gz" "$work/archive" || fail "Cannot download $base/$name.tar.gz"
  found=$(sha256 "$work/archive")
  found=${found%% *}
  [ "$found" = "$wanted" ] ||
    fail "SHA-256 of $name.tar.gz is $found, not $wanted" "nothing was installed; try again later"
  tar -xzf "$work/archive" -C "$work"

  mkdir -p "$folder" || fail "Cannot make the folder $folder"
  staged=$folder/.mcp-exec.$$
  cp "$work/$name/mcp-exec" "$staged" || fail "Cannot write to $folder"
  chmod 755 "$staged"
  version=$("$staged" --version) || fail "mcp-exec does not run on this system ($target)"
  mv -f "$staged" "$folder/mcp-exec"
  staged=
  printf 'mcp-exec %s is installed: %s\n' "$version" "$folder/mcp-exec"

  case $folder in
    */bin)
      share=${folder%/bin}/share
      place "$work/$name/mcp-exec.1" "$share/man/man1/mcp-exec.1"
      place "$work/$name/completions/mcp-exec.bash" "$share/bash-completion/completions/mcp-exec"
      place "$work/$name/completions/_mcp-exec" "$share/zsh/site-functions/_mcp-exec"
      place "$work/$name/completions/mcp-exec.fish" "$share/fish/vendor_completions.d/mcp-exec.fish"
      ;;
  esac
  case ":$PATH:" in
    *":$folder:"*) ;;
    *)
      printf 'It is not on PATH yet. Add this line to the start-up file of your shell:\n'
      case ${SHELL:-} in
        */fish) printf '  fish_add_path "%s"\n' "$folder" ;;
        *) printf '  export PATH="%s:$PATH"\n' "$folder" ;;
      esac
      ;;
  esac
  printf 'Try it: mcp-exec demo\n'
}

main
