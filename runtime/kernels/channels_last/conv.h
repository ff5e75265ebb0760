/* Convolution in two spatial dimensions of float tensors whose channels lie last.
 *
 *   y[n, p, o] = epilogue(sum over c, t of w[o, c, t] * x[n, p * stride + t * dilation - pad_begin, g(o) * C/G + c])
 *
 * x [N, H, W, C] and y [N, H', W', O] are dense; weights and their gradients are ONNX' [O, C/G, kernel...]. How a shape
 * is computed (directly, by Winograd's filtering, depthwise) is chosen once, while planning. What is not finite reaches
 * what it meets and nothing else, in every pass. The same bits for any number of threads. Nothing here allocates;
 * scratch and packed weights are 64-byte aligned. */
#ifndef KILN_KERNELS_CHANNELS_LAST_CONV_H
#define KILN_KERNELS_CHANNELS_LAST_CONV_H

#include "kernels/conv.h"
#include "kernels/epilogue.h"

enum conv_pass { CONV_FORWARD, CONV_DX, CONV_DW };

struct conv_method;

struct conv_last {
    struct conv_shape shape; /* rank 2 */
    enum conv_pass pass;
    const struct kernels *k;
    const struct conv_method *method;
    /* What the method found out; its own. */
    int64_t detail[16];
};

/* Chooses a method; without `exact` one may be chosen whose rounding error is several times that of plain sums. False
 * where no method can do it: some sizes, or no kernels for this CPU. */
bool conv_last_plan(struct conv_last *c, const struct kernels *k, const struct conv_shape *s, enum conv_pass pass,
                    bool exact);
const char *conv_last_name(const struct conv_last *c); /* of the method, for people: "direct", "winograd" ... */

bool conv_last_wide_pixels(const struct conv_last *c); /* may epilogue.pixel be given? */

/* Weights as CONV_FORWARD and CONV_DX want them. Two plans with the same key want the same. */
struct conv_weights_key {
    const struct conv_method *method;
    int64_t detail[9]; /* unused ones 0 */
};
struct conv_weights_key conv_last_key(const struct conv_last *c);
size_t conv_last_weights(const struct conv_last *c);     /* bytes */
bool conv_last_reads_weights(const struct conv_last *c); /* while it runs, beside what is packed of them */
void conv_last_pack(const struct conv_last *c, struct pool *pool, const float *w, void *packed);

size_t conv_last_scratch(const struct conv_last *c, int threads);
int64_t conv_last_blocks(const struct conv_last *c); /* that epilogue.finish is called for */
/* CONV_FORWARD: y from x. CONV_DX: dx (as `y`) from dy (as `x`). Every element is written. `packed` was made of w. */
void conv_last_run(const struct conv_last *c, struct pool *pool, const float *x, const float *w, const void *packed,
                   const struct epilogue *e, float *y, void *scratch);
/* CONV_DW: dw [O, C/G, kernel...], and db [O], the sums of dy; NULL: not wanted. */
void conv_last_dw(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw, float *db,
                  void *scratch);

#endif
