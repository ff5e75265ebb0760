/* What GatherND, GatherElements, ScatterND and ScatterElements share: a tensor of indices names places in `data`, and
 * each place is `slice` elements from there on, which are read, or written.
 *
 *   ND        the last dimension of the indices has the first `depth` coordinates of a place (behind `batch` dimensions
 *             that both have), which is all that is behind them
 *   elements  an index stands for itself: its own coordinates, with that along `axis` replaced, are those of one element
 *
 * Indices below 0 count from the end; one out of range is an error while running. */
#ifndef KILN_OPS_PLACES_H
#define KILN_OPS_PLACES_H

#include "ops/op.h"

enum { PLACES_DATA, PLACES_INDICES, PLACES_UPDATES }; /* inputs */

enum scatter_how { SCATTER_SET, SCATTER_ADD, SCATTER_MUL, SCATTER_MIN, SCATTER_MAX };

struct places_attrs {
    bool elements;
    int64_t axis;  /* of elements */
    int64_t batch; /* of ND */
    enum scatter_how how;
};

struct places {
    const struct tensor *indices;
    int64_t items, slice;
    int depth;                                 /* coordinates of a place that are read: 1 of elements */
    int64_t size[MAX_RANK];                    /* of the dimensions that they are of */
    int64_t stride[MAX_RANK];                  /* elements of data from one to the next */
    int64_t per_batch, batch_stride;           /* items of a batch; elements of data */
    int rank;                                  /* of an element's own coordinates, from the last on: */
    int64_t own_dims[MAX_RANK], own[MAX_RANK]; /* how many, and elements of data from one to the next: 0 of the axis */
};

bool places_parse_elements(struct parse *p, void *attrs); /* `axis` */
/* Do the indices fit the data? The shapes of what is read there, or written: `rank` and `dims`. */
bool places_fit(struct infer *i, int *rank, int64_t *dims);

void places_of(struct places *p, const struct places_attrs *a, const struct tensor *data, const struct tensor *indices);
/* Are all of them in range? */
bool places_checked(struct step *s, const struct places *p);
/* Where the slice of an item begins: an element of data. */
int64_t place_of(const struct places *p, int64_t item);

/* GatherND and GatherElements. */
bool gather_places_infer(struct infer *i);
bool gather_places_run(struct step *s);
bool gather_places_gradient(struct backward *b);

/* ScatterND and ScatterElements. */
bool scatter_places_infer(struct infer *i);
bool scatter_places_run(struct step *s);
bool scatter_places_gradient(struct backward *b);

#endif
