#!/bin/sh
# Writes a table from the names of its rows, each of which has a file of its own. Usage:
#   registry.sh [--sort] PREFIX STRUCT INCLUDE HEADER SOURCE NAME...
# A row is `const struct STRUCT PREFIX_NAME`; the table is PREFIX_registry, ended by NULL, which INCLUDE declares. Rows stand as
# they are named, or in the order of their names.
set -e
sorted=
if [ "$1" = --sort ]; then
    sorted=yes
    shift
fi
prefix=$1 struct=$2 include=$3 header=$4 source=$5
shift 5
if [ "$sorted" ]; then
    # shellcheck disable=SC2046 # names have no blanks
    set -- $(printf '%s\n' "$@" | LC_ALL=C sort)
fi
capital=$(echo "$prefix" | tr '[:lower:]' '[:upper:]')

{
    echo "/* The rows of ${prefix}_registry, for those who look for one, and their places in it. */"
    echo "#ifndef KILN_${capital}_REGISTRY_H"
    echo "#define KILN_${capital}_REGISTRY_H"
    echo "#include \"$include\""
    for name; do
        echo "extern const struct $struct ${prefix}_$name;"
    done
    echo 'enum {'
    for name; do
        echo "    ${capital}_$name,"
    done
    echo "    ${capital}_COUNT"
    echo '};'
    echo '#endif'
} >"$header"
{
    echo '#include "registry.h"'
    echo "const struct $struct *const ${prefix}_registry[] = {"
    for name; do
        echo "    &${prefix}_$name,"
    done
    echo '    NULL,'
    echo '};'
} >"$source"
