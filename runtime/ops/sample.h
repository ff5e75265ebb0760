/* Reading between the elements: what GridSample and DeformConv share. A point has a coordinate along each axis, in
 * elements; its value is the sum of elements around it, each times the product of its weights along all axes. */
#ifndef KILN_OPS_SAMPLE_H
#define KILN_OPS_SAMPLE_H

#include "ops/op.h"
#include "ops/window.h"

enum sample_mode { SAMPLE_LINEAR, SAMPLE_NEAREST, SAMPLE_CUBIC };
/* What stands outside: zeros; the element at the edge; the elements mirrored, about the outermost ones, which stand
 * once, or about the edge behind them. */
enum sample_outside { OUTSIDE_ZEROS, OUTSIDE_EDGE, OUTSIDE_MIRRORED, OUTSIDE_MIRRORED_TWICE };

struct sampler {
    enum sample_mode mode;
    enum sample_outside outside;
    int rank;
    int64_t dims[MAX_SPATIAL], strides[MAX_SPATIAL]; /* of what is read, strides in elements */
};

/* Of a block of points: those elements that have a weight. Point p has [first[p], first[p + 1]) of them. */
struct samples {
    int64_t *first, *offset;
    double *weight;
    double *slope; /* of the weight by each coordinate, `rank` for an element; NULL: not wanted */
};

int64_t sample_elements(const struct sampler *s); /* that a point has at most */
int64_t sample_block(const struct sampler *s);    /* points that are a block at most */
/* Bytes for a double for each coordinate of a block. */
int64_t sample_coordinate_bytes(const struct sampler *s);
/* Bytes for the samples of a block. */
int64_t sample_bytes(const struct sampler *s, bool slopes);
/* Where in those bytes they are. */
struct samples samples_in(const struct sampler *s, bool slopes, void *memory);
/* Fills them for `count` points, whose coordinates stand one point after the other. One that is no number is 0. */
void sample_points(const struct sampler *s, const double *coordinates, int64_t count, const struct samples *to);

/* All of that in operators of the standard, for gradients of gradients. */
struct sample_values {
    int64_t batch, channels, points;
    struct value *x;  /* [batch, channels, ...], of `compute` */
    struct value *at; /* coordinates, [batch, points, rank], of `places` */
    enum dtype compute, places;
};
/* [batch, channels, points] */
struct value *emit_samples(struct emitter *e, const struct sampler *s, const struct sample_values *v);
/* A constant vector of so many numbers. */
struct value *emit_numbers(struct emitter *e, enum dtype dtype, int count, const double *v);

#endif
