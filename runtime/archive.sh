#!/bin/sh
# Makes a static library of one object in which only kiln_* is visible: what is hidden in the shared library cannot clash with names of
# a program that links this one, and BLIS comes with it. Usage: archive.sh OUTPUT AR OBJCOPY INTERNAL.a BLIS.a COMPILER...
set -eu
output=$1 ar=$2 objcopy=$3 internal=$4 blis=$5
shift 5
object=${output%.a}-whole.o
"$@" -r -nostdlib -o "$object" -Wl,--whole-archive "$internal" -Wl,--no-whole-archive "$blis"
"$objcopy" --wildcard --keep-global-symbol='kiln_*' "$object"
rm -f "$output"
"$ar" rcs "$output" "$object"
rm -f "$object"
