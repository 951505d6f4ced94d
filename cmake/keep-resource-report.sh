#!/bin/sh
# Runs a compiler and keeps what it says of each kernel's registers and memory beside the object, as <object>.resources;
# everything else it says is passed on.
object=
previous=
for argument; do
  if [ "$previous" = -o ]; then object=$argument; fi
  previous=$argument
done
"$@" 2>"$object.resources"
status=$?
grep -v -e '^ptxas info' -e 'bytes stack frame' "$object.resources" >&2
exit $status
