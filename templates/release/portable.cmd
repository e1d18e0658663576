@echo off
rem Starts mcp-exec on the Deno that lies beside it: nothing is downloaded, nothing else is used.
setlocal
set "DENO_NO_UPDATE_CHECK=1"
"%~dp0lib\deno.exe" run @FLAGS@ "%~dp0lib\main.js" %*
