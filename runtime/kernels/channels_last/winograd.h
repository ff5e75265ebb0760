/* What the three passes of Winograd's convolution share (winograd.c, winograd_weight.c).
 *
 * A block is some rows of tiles of one image, a tile being some pixels of the result; a group is the blocks that are
 * transformed together. Either a thread does whole groups, with planes of its own, or all threads share the planes of
 * one group after the other, in phases. Both are decided by the shape alone, and the bits are the same. */
#ifndef KILN_KERNELS_CHANNELS_LAST_WINOGRAD_H
#define KILN_KERNELS_CHANNELS_LAST_WINOGRAD_H

#include "kernels/channels_last/method.h"
#include "kernels/parts.h"
#include <math.h>

struct winograd {
    const struct kernels *k;
    int64_t batch;
    int64_t height, width, channels;             /* of what is convolved: x, or dy for its gradient */
    int64_t out_height, out_width, out_channels; /* of the result; for the gradient by weights, of dy */
    int64_t pad_rows, pad_columns;
    int taps, tile;                  /* of the kernel, of a tile, each way */
    int64_t tile_rows, tile_columns; /* of an image */
    int64_t in_pixel, out_pixel;     /* channels, whole vectors */
    int64_t rows;                    /* of tiles in a block; the last of an image may have fewer */
    int64_t image_blocks, blocks;    /* of an image, of all */
    int64_t group, groups;
    int64_t columns; /* of tiles that are transformed at once: fewer than all only where a group is one row */
    bool shared;
    int64_t in_plane, out_plane; /* elements of a plane: all tiles of a group, or of `columns` */
};

struct winograd winograd_of(const struct conv_last *c);

/* Tiles that are transformed together: those of blocks [first, end), columns [column, column + columns). */
struct winograd_span {
    int64_t first, end, column, columns;
};
struct winograd_span winograd_group(const struct winograd *w, int64_t group);
int64_t winograd_tiles(const struct winograd *w, const struct winograd_span *s);

/* Block b of a span, whose planes are `out`: patches of x; for the gradient by weights, of dy. */
void winograd_transform(const struct winograd *w, const struct winograd_span *s, int64_t b, const float *x,
                        const float *zeros, float *out);
void winograd_transform_gradient(const struct winograd *w, const struct winograd_span *s, int64_t b, const float *dy,
                                 const float *zeros, float *out);

/* Elements [from, to) that a group reads of what is convolved, and those of the result's side. */
struct span winograd_reads(const struct winograd *w, int64_t group); /* none: past the last */
struct span winograd_writes(const struct winograd *w, int64_t group);

/* Memory that is wanted next, brought near while products keep the thread busy: some elements at a time. The transforms
 * alone would wait for it. */
struct winograd_soon {
    const float *at, *end;
    int64_t some;
    bool write;
};
struct winograd_soon winograd_soon(const float *p, struct span r, int64_t times, bool write);

enum { WINOGRAD_LINE = 16 };
static inline void winograd_fetch(struct winograd_soon *s)
{
    const float *const end = s->end - s->at > s->some ? s->at + s->some : s->end;

    for (; s->at < end; s->at += WINOGRAD_LINE)
        if (s->write)
            __builtin_prefetch(s->at, 1, 2);
        else
            __builtin_prefetch(s->at, 0, 2);
}

/* Are n sums, `step` apart, below 2^37? The squares of 64, as many as a tile has, are then below WINOGRAD_HUGE in
 * sum. */
static inline bool winograd_good(const float *sums, int64_t n, int64_t step)
{
    bool good = true;

    for (int64_t k = 0; k < n; k++)
        good = good && fabsf(sums[k * step]) < 0x1p37f;
    return good;
}

size_t winograd_weight_scratch(const struct conv_last *c, int threads);
void winograd_weight(const struct conv_last *c, struct pool *pool, const float *x, const float *dy, float *dw,
                     float *db, void *scratch);
bool winograd_sums_dy(const struct conv_last *c);

#endif
