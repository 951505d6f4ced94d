#!/bin/sh
# Builds, tests and measures on this machine's GPU: README.md beside this. In a bundle Node lies in it.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if [ -x "$root/node/bin/node" ]; then
  PATH="$root/node/bin:$PATH"
  export PATH
fi
exec node "$root/scripts/gpu/run.mjs" "$@"
