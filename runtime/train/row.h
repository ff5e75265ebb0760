/* A row of a model's output beside its label: what losses and metrics look at. A row is what lies along the last
 * dimension. */
#ifndef KILN_TRAIN_ROW_H
#define KILN_TRAIN_ROW_H

#include "ops/op.h"
#include <math.h>

struct output_row {
    const float *x;   /* n outputs */
    const float *y;   /* n labels; NULL: the label is a class */
    int64_t label, n; /* the class, in [0, n) */
    bool logits;      /* the outputs are no probabilities yet: 0 is what .5 would be */
    /* Of a loss of sequences: a whole sample, which has as many rows as steps, and its labels. */
    const int64_t *sequence;
    int64_t length, steps;
};

/* The label of output j, as a number: of a class 1 where it is that one, else 0. */
static inline double row_target(const struct output_row *r, int64_t j)
{
    return r->y ? (double)r->y[j] : j == r->label ? 1 : 0;
}

/* The class that a row is of, by its label and by its outputs: the first of the largest; of a row of 1 on which side of
 * 0.5 it is. Outputs of which one is no number are of none: -1. */
static inline int64_t row_class(const struct output_row *r)
{
    int64_t best = 0;

    if (r->n == 1)
        return row_target(r, 0) > .5;
    for (int64_t j = 1; r->y && j < r->n; j++)
        best = r->y[j] > r->y[best] ? j : best;
    return r->y ? best : r->label;
}
static inline bool row_is_numbers(const struct output_row *r)
{
    bool numbers = true;

    for (int64_t j = 0; j < r->n; j++)
        numbers &= !isnan(r->x[j]);
    return numbers;
}
static inline int64_t row_predicted(const struct output_row *r)
{
    int64_t best = 0;

    if (!row_is_numbers(r))
        return -1;
    if (r->n == 1)
        return r->x[0] > (r->logits ? 0 : .5f);
    for (int64_t j = 1; j < r->n; j++)
        best = r->x[j] > r->x[best] ? j : best;
    return best;
}

/* Rows of an output, and how long they are. */
static inline int64_t row_width(const struct tensor *output)
{
    return output->rank ? output->dims[output->rank - 1] : 1;
}
static inline int64_t row_count(const struct tensor *output)
{
    return dims_product(output->dims, 0, output->rank - (output->rank > 0));
}
/* A piece of work is so many rows: about 4096 elements. */
static inline int64_t rows_of_chunk(const struct tensor *output)
{
    enum { CHUNK = 4096 };
    const int64_t width = row_width(output);

    return width < 1 || width >= CHUNK ? 1 : CHUNK / width;
}
static inline int64_t chunk_count(const struct tensor *output)
{
    return (row_count(output) + rows_of_chunk(output) - 1) / rows_of_chunk(output);
}
/* Row k. Labels are int64, one for each row, or floats of the output's shape. The class may be out of range. */
static inline struct output_row row_of(const struct tensor *output, const struct tensor *labels, int64_t k, bool logits)
{
    const int64_t n = row_width(output);
    const bool classes = labels->dtype == I64;

    return (struct output_row){ .x = (const float *)output->data + k * n,
                                .y = classes ? NULL : (const float *)labels->data + k * n,
                                .label = classes ? ((const int64_t *)labels->data)[k] : 0,
                                .n = n,
                                .logits = logits };
}

#endif
