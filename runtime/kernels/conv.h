/* Convolution in any number of spatial dimensions, by implicit GEMM: im2col is gathered while panels are packed, never
 * stored.
 *
 *   y[n, o, p] = bias[o] + sum over c, t of w[o, c, t] * x[n, g(o) * C/G + c, p * stride + t * dilation - pad_begin]
 *
 * Layouts are ONNX': x [N, C, in...], w [O, C/G, kernel...], y [N, O, out...]. Transposed convolution is the same three
 * functions with the roles changed (see conv_shape_transposed): its forward is conv_dx, its dX conv_forward, its dW
 * conv_dw with x and dy swapped. dtype is F32, F64, F16 or BF16 of all tensors (sums in float for the halves). The same
 * bits for any number of threads. */
#ifndef KILN_KERNELS_CONV_H
#define KILN_KERNELS_CONV_H

#include "kernels/kernels.h"
#include "tensor/tensor.h"

struct conv_shape {
    int64_t batch, groups;
    int64_t in_channels, out_channels; /* of all groups */
    int rank;                          /* spatial dimensions; 0 is allowed */
    int64_t in[MAX_RANK], out[MAX_RANK], kernel[MAX_RANK];
    int64_t strides[MAX_RANK], dilations[MAX_RANK];
    int64_t pads_begin[MAX_RANK]; /* pads at the end follow from `out`; may be negative */
};

size_t conv_forward_scratch(const struct kernels *k, const struct conv_shape *s, enum dtype dtype, int threads);
/* y = conv(x, w) + bias (NULL for none; [O], dtype); relu: max(0, .). */
void conv_forward(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype,
                  const void *x, const void *w, const void *bias, bool relu, void *y, void *scratch);

/* The gradient by input is one product for each residue of its pixels modulo the strides. Where there are more than
 * CONV_PHASES, float and double take another way; other types have none, and their caller must refuse. */
enum { CONV_PHASES = 4096 };
int64_t conv_phases(const struct conv_shape *s);
size_t conv_dx_scratch(const struct kernels *k, const struct conv_shape *s, enum dtype dtype, int threads);
/* dx[N, C, in...] from dy[N, O, out...] and w. `bias` [C] is added where not NULL (ConvTranspose's). Every element of
 * dx is written. */
void conv_dx(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype, const void *dy,
             const void *w, const void *bias, void *dx, void *scratch);

size_t conv_dw_scratch(const struct kernels *k, const struct conv_shape *s, enum dtype dtype, int threads);
/* dw[O, C/G, kernel...] from x and dy. */
void conv_dw(const struct kernels *k, struct pool *pool, const struct conv_shape *s, enum dtype dtype, const void *x,
             const void *dy, void *dw, void *scratch);

/* db[c] = sum over batch and spatial of dy[batch, channels, spatial], in a fixed tree. No scratch. */
void conv_db(const struct kernels *k, struct pool *pool, enum dtype dtype, int64_t batch, int64_t channels,
             int64_t spatial, const void *dy, void *db);

/* For ConvTranspose with input x [N, C, in...], weight [C, M/G, kernel...] and output y [N, M, out...]: the shape of
 * the convolution that it is the transposed of is { in_channels = M, out_channels = C, in = out of the ConvTranspose,
 * out = its in }, the same strides, dilations and pads_begin. Then
 *
 *   forward  conv_dx(dy = x, w, bias, dx = y)
 *   dX       conv_forward(x = dy, w, NULL, y = dx)
 *   dW       conv_dw(x = dy, dy = x, dw) */

#endif
