# Installs mcp-exec @VERSION@: takes the archive for this system, checks its SHA-256 against the one
# below, tries the program, and puts it in place. Until then nothing is changed.
#
#   irm @URL@/install.ps1 | iex
#
#   MCP_EXEC_INSTALL_DIR  folder for the program (%LOCALAPPDATA%\Programs\mcp-exec)
#   MCP_EXEC_BASE_URL     where the archive is taken from: a URL or a folder

& {
  $ErrorActionPreference = 'Stop'
  $ProgressPreference = 'SilentlyContinue' # the bar makes downloads many times slower
  $sums = @{
@SUMS@
  }
  $machine = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 } else { $env:PROCESSOR_ARCHITECTURE }
  $target = switch ($machine) {
    'AMD64' { 'x86_64-pc-windows-msvc' }
    'ARM64' { 'aarch64-pc-windows-msvc' }
    default { $machine }
  }
  if (-not $sums.ContainsKey($target)) { throw "There is no mcp-exec for $target" }
  $folder = if ($env:MCP_EXEC_INSTALL_DIR) { $env:MCP_EXEC_INSTALL_DIR } else { Join-Path $env:LOCALAPPDATA 'Programs\mcp-exec' }
  $base = if ($env:MCP_EXEC_BASE_URL) { $env:MCP_EXEC_BASE_URL } else { '@URL@' }
  $name = "mcp-exec-@VERSION@-$target"
  $work = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
  $staged = Join-Path $folder ".mcp-exec-$PID.exe"
  New-Item -ItemType Directory -Path $work | Out-Null
  try {
    $archive = Join-Path $work "$name.zip"
    if ($base -match '^https?://') {
      [Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
      Invoke-WebRequest -UseBasicParsing -Uri "$base/$name.zip" -OutFile $archive
    } else {
      Copy-Item -LiteralPath (Join-Path $base "$name.zip") -Destination $archive
    }
    $found = (Get-FileHash -LiteralPath $archive -Algorithm SHA256).Hash.ToLowerInvariant()
    if ($found -ne $sums[$target]) {
      throw "SHA-256 of $name.zip is $found, not $($sums[$target]); nothing was installed"
    }
    Expand-Archive -LiteralPath $archive -DestinationPath $work
    New-Item -ItemType Directory -Force -Path $folder | Out-Null
    Copy-Item -LiteralPath (Join-Path $work "$name\mcp-exec.exe") -Destination $staged
    $version = & $staged --version
    if ($LASTEXITCODE -ne 0) { throw "mcp-exec does not run on this system ($target)" }
    Move-Item -Force -LiteralPath $staged -Destination (Join-Path $folder 'mcp-exec.exe')
    Copy-Item -LiteralPath (Join-Path $work "$name\completions\mcp-exec.ps1") -Destination $folder -Force
    Write-Output "mcp-exec $version is installed: $(Join-Path $folder 'mcp-exec.exe')"
    $quoted = $folder.Replace("'", "''") # for the lines to copy
    if (($env:Path -split ';') -notcontains $folder) {
      Write-Output 'It is not on PATH yet. Run this line once, then open a new terminal:'
      Write-Output "  [Environment]::SetEnvironmentVariable('Path', [Environment]::GetEnvironmentVariable('Path', 'User') + ';$quoted', 'User')"
    }
    Write-Output "Completions: add  . '$(Join-Path $quoted 'mcp-exec.ps1')'  to `$PROFILE"
    Write-Output 'Try it: mcp-exec demo'
  } finally {
    Remove-Item -Recurse -Force -LiteralPath $work
    if (Test-Path -LiteralPath $staged) { Remove-Item -Force -LiteralPath $staged }
  }
}
