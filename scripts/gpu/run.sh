#!/bin/sh
# Builds, tests and measures on this machine's GPU: README.md beside this. In a bundle Node lies in it.
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
if [ -x "$root/node/bin/node" ]; then
  PATH="$root/node/bin:$PATH"
fi
# Where drivers and toolkits put their programs, on machines that do not say so.
PATH="$PATH:/usr/local/nvidia/bin:/usr/local/cuda/bin"
export PATH
exec node "$root/scripts/gpu/run.mjs" "$@"
