/* How convolution and its gradients look at memory: a grid of pixels (of the result, or of one phase of it), each of
 * which sees `taps` elements of a source, in every channel.
 *
 *   element of tap t seen by pixel u, in each dimension:  u * step + base + t * base_step,
 *   nothing where that is outside of [0, source)
 *
 * Forward: pixels are y's, the source is x. By input: pixels are x's, those of one residue modulo the strides at a
 * time, the source is dy. */
#ifndef KILN_KERNELS_CONV_GRID_H
#define KILN_KERNELS_CONV_GRID_H

#include "kernels/conv.h"

/* A row of so many pixels is worth a look at the time for each tap: rows are not cut. */
enum { GRID_LONG = 1024 };

struct grid_dim {
    int64_t pixels, step, source, taps, base, base_step;
    int64_t tap_first, tap_step;          /* kernel position of tap t: tap_first + t * tap_step */
    int64_t source_stride, target_stride; /* elements, in the source and between pixels of the result */
};
struct grid {
    int rank; /* at least 1 */
    struct grid_dim dim[MAX_RANK];
    int64_t pixels, taps; /* products */
    int64_t batch;
    int64_t source_image, source_channel, target_image, target_channel; /* strides */
    int64_t target_first;                                               /* offset of pixel 0 */
};

struct grid grid_forward(const struct conv_shape *s);
/* One phase of the gradient by input: input pixels first[d], first[d] + strides[d], ... */
struct grid grid_backward(const struct conv_shape *s, const int64_t *first);

/* A walk along pixels in rows: `u` is where the walk is, `image` the image. */
struct grid_walk {
    int64_t image, u[MAX_RANK];
};
struct grid_walk grid_walk_at(const struct grid *g, int64_t pixel); /* of all images */
void grid_walk_row(const struct grid *g, struct grid_walk *w);      /* to the start of the next row */
/* Offset in the source of what tap 0 sees at the walk's place; it may be outside. */
int64_t grid_source(const struct grid *g, const struct grid_walk *w);
int64_t grid_target(const struct grid *g, const struct grid_walk *w);
/* Does tap `t` see a row of the source there, all dimensions but the last considered? */
bool grid_sees_row(const struct grid *g, const struct grid_walk *w, const int64_t *t);
/* The pixels [*from, *to) of `count` from the walk's place on that see something with tap t of the last dimension. */
static inline void grid_clip(const struct grid *g, const struct grid_walk *w, int64_t t, int64_t count, int64_t *from,
                             int64_t *to)
{
    const struct grid_dim *m = &g->dim[g->rank - 1];
    const int64_t at = w->u[g->rank - 1] * m->step + m->base + t * m->base_step; /* of the first pixel */
    int64_t end = count;

    *from = at >= 0 ? 0 : m->step == 1 ? -at : (-at + m->step - 1) / m->step;
    if (at >= m->source)
        end = 0;
    else if (m->step == 1)
        end = m->source - at;
    else
        end = (m->source - at + m->step - 1) / m->step;
    *to = end < count ? end : count;
    if (*from > *to)
        *from = *to;
}
/* Do all taps see something for `count` pixels from the walk's place on? */
bool grid_is_inside(const struct grid *g, const struct grid_walk *w, int64_t count);
/* The row of pixels at `w` (its start) and the row of the source that tap `t` sees, whatever its last dimension: where
 * they begin, for tap 0 of the last dimension. False where there is none. */
struct grid_meeting {
    int64_t source, target;
};
bool grid_meet(const struct grid *g, const struct grid_walk *w, const int64_t *t, struct grid_meeting *m);
/* The next tap of all dimensions but the last; false after the last one. Start with all 0. */
bool grid_next_rows(const struct grid *g, int64_t *t);
/* The next tap in row-major order; false after the last. Start with all 0. */
bool grid_next_tap(const struct grid *g, int64_t *t);

#endif
