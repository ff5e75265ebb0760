#!/bin/sh
# Writes the block of C of a page that defines a NAME. Usage: readme.sh PAGE NAME
awk -v name=" $2 = {" '
    /^```c$/ { block = ""; inside = 1; next }
    /^```$/ { if (inside && index(block, name)) printf "%s", block; inside = 0; next }
    inside { block = block $0 "\n" }' "$1"
