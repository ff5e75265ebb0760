/* What Cast and CastLike share. */
#ifndef KILN_OPS_CAST_H
#define KILN_OPS_CAST_H

#include "ops/convert.h"
#include "ops/op.h"

struct cast {
    enum dtype to;
    struct rounding rounding;
};

/* Reads `saturate` and, where the version has it, `round_mode`. */
bool rounding_parse(struct parse *p, bool has_mode, struct rounding *out);
/* Input 0 as type `to`. */
bool cast_infer(struct infer *i, enum dtype to);
bool cast_run(struct step *s, const struct cast *a);
/* The gradient of input 0, as its type. */
bool cast_gradient(struct backward *b);

#endif
