#!/bin/sh
# Writes the list of all operators from their names. Usage: registry.sh header|source NAME...
what=$1
shift
if [ "$what" = header ]; then
    echo '/* The operators of the standard, for those who look for one: node_is(n, &op_conv). */'
    echo '#ifndef KILN_OPS_REGISTRY_H'
    echo '#define KILN_OPS_REGISTRY_H'
    echo '#include "ops/op.h"'
    for name; do
        echo "extern const struct op op_$name;"
    done
    echo '#endif'
else
    echo '#include "ops/registry.h"'
    echo 'const struct op *const op_registry[] = {'
    for name; do
        echo "    &op_$name,"
    done
    echo '    NULL,'
    echo '};'
fi
