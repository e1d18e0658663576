class McpExec < Formula
  desc "Turn MCP servers into code that agents can run safely"
  homepage "https://github.com/@REPOSITORY@"
  version "@VERSION@"
  license "MIT"

  on_macos do
    on_arm do
      url "@URL@/mcp-exec-@VERSION@-aarch64-apple-darwin.tar.gz"
      sha256 "@SHA256:aarch64-apple-darwin@"
    end
    on_intel do
      url "@URL@/mcp-exec-@VERSION@-x86_64-apple-darwin.tar.gz"
      sha256 "@SHA256:x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/mcp-exec-@VERSION@-aarch64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:aarch64-unknown-linux-gnu@"
    end
    on_intel do
      url "@URL@/mcp-exec-@VERSION@-x86_64-unknown-linux-gnu.tar.gz"
      sha256 "@SHA256:x86_64-unknown-linux-gnu@"
    end
  end

  def install
    bin.install "mcp-exec"
    man1.install "mcp-exec.1"
    bash_completion.install "completions/mcp-exec.bash" => "mcp-exec"
    zsh_completion.install "completions/_mcp-exec"
    fish_completion.install "completions/mcp-exec.fish"
    pwsh_completion.install "completions/mcp-exec.ps1" => "_mcp-exec.ps1"
  end

  test do
    assert_equal version.to_s, shell_output("#{bin}/mcp-exec --version").strip
    assert_match "saved", shell_output("#{bin}/mcp-exec demo")
    assert_match "mcp-exec __complete", shell_output("#{bin}/mcp-exec completions bash")
    assert_match "not known", shell_output("#{bin}/mcp-exec nonsense 2>&1", 2)
  end
end
