/* What Conv and ConvTranspose share: attributes, and the shape that kernels/conv.h wants. */
#ifndef KILN_OPS_CONV_H
#define KILN_OPS_CONV_H

#include "kernels/conv.h"
#include "ops/window.h"

struct conv_attrs {
    struct window_attrs window;
    int64_t group;
    bool relu; /* of Conv: a Relu that a pass has put in; 0 in a file's own */
};

bool conv_parse(struct parse *p, struct conv_attrs *a);
/* The shapes of X, W and B against each other; `out_channels` is set. `transposed`: W is [C, M/group, ...]. */
bool conv_check(struct infer *i, const struct conv_attrs *a, bool transposed, int64_t *out_channels);
struct conv_shape conv_shape_of(const struct window *w, int64_t batch, int64_t in_channels, int64_t out_channels,
                                int64_t groups);

/* Can conv_dx do this? */
bool conv_dx_fits(struct infer *i, const struct conv_shape *s, enum dtype dtype);

/* One private node (dY, X, W -> dX, dW, dB) for the gradients of both. */
bool conv_gradient(struct backward *b, const struct op *grad);

#endif
