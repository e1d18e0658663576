#!/bin/sh
# Starts mcp-exec on the Deno that lies beside it: nothing is downloaded, nothing else is used.
case $0 in
  */*) self=$0 ;;
  *) self=./$0 ;;
esac
while [ -L "$self" ]; do
  link=$(readlink "$self") || exit 1
  case $link in
    /*) self=$link ;;
    *) self=${self%/*}/$link ;;
  esac
done
lib=$(CDPATH='' cd -- "${self%/*}/lib" && pwd -P) || exit 1
export DENO_NO_UPDATE_CHECK=1
exec "$lib/deno" run @FLAGS@ "$lib/main.js" "$@"
