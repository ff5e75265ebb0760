#!/bin/sh
# Writes registry.c, the list of all operators, from their names.
echo '#include "ops/op.h"'
for name; do
    echo "extern const struct op op_$name;"
done
echo 'const struct op *const op_registry[] = {'
for name; do
    echo "    &op_$name,"
done
echo '    NULL,'
echo '};'
