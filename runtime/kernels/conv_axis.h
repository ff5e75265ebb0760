/* One spatial dimension of a pass: which pixels of the input each pixel of the output reads.
 *
 * Tap t of output i reads input i * stride + base + t * spread. A forward convolution is one such axis in each
 * dimension. The gradient by the input is one for each residue (phase) of its pixels modulo the stride: pixel first + i
 * * step, and the taps that meet it. What falls outside of the input is left out, so that nothing is padded. */
#ifndef KILN_KERNELS_CONV_AXIS_H
#define KILN_KERNELS_CONV_AXIS_H

#include "kernels/conv.h"
#include "kernels/parts.h"

struct axis {
    int64_t in, count;   /* pixels of the input; of the output in this phase */
    int64_t first, step; /* where those are in the output */
    int64_t taps, base, stride, spread;
    int64_t kernel, kernel_step; /* tap t is element kernel + t * kernel_step */
};

struct axis axis_forward(const struct conv_shape *s, int dimension);
int64_t axis_phases(const struct conv_shape *s, int dimension);
struct axis axis_phase(const struct conv_shape *s, int dimension, int64_t phase); /* of the gradient by the input */

/* Taps of output i that meet the input. */
struct span axis_taps(const struct axis *a, int64_t i);
/* The end of the outputs from i on, up to `end`, that have the same taps as i. */
int64_t axis_alike(const struct axis *a, int64_t i, int64_t end);
/* Outputs among [from, to) of the whole output that belong to this phase, as indices i. */
struct span axis_outputs(const struct axis *a, int64_t from, int64_t to);
/* Outputs whose tap t meets the input. */
struct span axis_meeting(const struct axis *a, int64_t t);
struct span axis_inside(const struct axis *a); /* all of whose taps do */

#endif
