/* What Concat and ConcatFromSequence share. */
#ifndef KILN_OPS_CONCAT_H
#define KILN_OPS_CONCAT_H

#include "ops/op.h"

struct concat {
    int64_t axis;
    bool channels_last; /* of inputs and output; the axis counts as ONNX does */
};

bool concat_parse(struct parse *p, void *attrs); /* `axis` */

/* Adds a tensor of a shape to what was put together along `axis`, dims. Where it does not fit there is a message, which
 * names it `what` number k: "input 2 has ...". */
enum { CONCAT_TEXT = 128 };
bool concat_add(int rank, int64_t *dims, int axis, const struct tensor *x, const char *what, int64_t k,
                char message[CONCAT_TEXT]);
/* Moves a tensor to where it lies in y, `at` along the axis. */
void concat_put(struct step *s, const struct tensor *x, int axis, int64_t at, struct tensor *y);
/* And back: the part of y that is x. */
void concat_take(struct step *s, const struct tensor *y, int axis, int64_t at, struct tensor *x);

#endif
