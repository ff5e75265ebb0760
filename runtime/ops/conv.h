/* What Conv and ConvTranspose share: attributes, and the shape that kernels/conv.h wants. */
#ifndef KILN_OPS_CONV_H
#define KILN_OPS_CONV_H

#include "kernels/conv.h"
#include "ops/window.h"

struct conv_attrs {
    struct window_attrs window;
    int64_t group;
    bool channels_last; /* of a Conv, where a pass has laid it out so (op_def.channels_last) */
};

/* What passes put into a Conv (plan/pass.h): all of it zero for nothing. */
struct conv_extras {
    bool limited; /* y = min(most, max(least, y)), at the end; without channels_last max(0, y) alone */
    float least, most;
    const struct fused *chain; /* at the very end; only with channels last, and without a residual. NULL: none */
    /* The result is channels [into_at, ...) of a tensor of so many, others write the rest. 0: it stands alone. Only
     * with channels last, without a residual and a chain. */
    int64_t into_channels, into_at;
};

struct conv_lowered { /* kiln.Conv */
    struct conv_attrs conv;
    struct conv_extras extras;
};

/* An input behind those of the standard, of a kiln.Conv with channels last: it is added to the result
 * (broadcast as by Add), before limits. */
enum { CONV_RESIDUAL = 3, CONV_CHAIN }; /* CONV_CHAIN: the chain's input 1, and the others after it */
enum { CONV_INTO = CONV_CHAIN };        /* with into_channels: what has other parts already. Left out: the first one */

/* The hidden output of a Conv with channels last: moments of its result, f64 [blocks, norm_record(channels)]
 * (kernels/norm_block.h). Only without a residual and a chain. */
enum { CONV_MOMENTS = 1 };

/* A convolution's field times channels; a transposed one's kernel is [..., out, in] in Keras. */
struct fans conv_fans(const struct node *n, int input, const struct tensor *w);
bool conv_parse(struct parse *p, struct conv_attrs *a);
/* The shapes of X (as ONNX has it), W and B (or NULL) against each other; `out_channels` is set. `transposed`: W is [C,
 * M/group, ...]. */
bool conv_check(struct infer *i, const struct conv_attrs *a, const struct tensor *x, const struct tensor *w,
                const struct tensor *b, bool transposed, int64_t *out_channels);
/* Of X as ONNX has it. `i` is NULL while running. */
bool conv_shape_read(struct infer *i, const struct conv_attrs *a, const struct tensor *x, const struct tensor *w,
                     struct conv_shape *s);
struct conv_shape conv_shape_of(const struct window *w, int64_t batch, int64_t in_channels, int64_t out_channels,
                                int64_t groups);

/* Of one pass of a convolution whose result is `pixels`, which has a channel for each row of the weights w. */
double conv_flops(const struct tensor *pixels, const struct tensor *w);

/* Is a convolution of this shape small enough that all that kernels plan it with can be counted? `i` is NULL while
 * running. */
bool conv_countable(struct infer *i, const struct conv_shape *s);
/* Can conv_dx do this? */
bool conv_dx_fits(struct infer *i, const struct conv_shape *s, enum dtype dtype);

/* One private node (dY, X, W -> dX, dW, dB) for the gradients of both. */
bool conv_gradient(struct backward *b, const struct op *grad);
/* The gradient of that node, of the operator `forward`. */
bool conv_grad_gradient(struct backward *b, const struct op *forward);

#endif
