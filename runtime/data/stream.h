/* Data sets that are not in memory. Their columns have types and no data; samples are read in their order, a pass at a
 * time, and become what a column in memory would hold.
 *
 *     source  ->  block of rows  ->  pass: samples as columns have them  ->  window  ->  batch
 *     (rows.h)    as in the file     labels, floats                          (window.h)  (batch.h)
 *
 * A file was looked at in a pass before: how its numbers stand for classes, that they are numbers, their check sum.
 * What a callback gives is what it was said to be, which is looked at as it comes.
 *
 * Each pass has a reader of its own, so that a set may be trained with and validated with at the same time, as if it
 * were in memory. A callback has one pass at a time. */
#ifndef KILN_DATA_STREAM_H
#define KILN_DATA_STREAM_H

#include "data/rows.h"
#include "data/target.h"

struct stream {
    const struct row_source *source;
    const char *where;      /* for messages */
    int64_t rows;           /* UNKNOWN: as many as come, at least one */
    int64_t window;         /* samples that are shuffled among each other; 1: none are */
    size_t columns;         /* of the source, without those of zeros */
    struct tensor *raw;     /* [columns] their types there: inputs, targets, weights */
    enum target_take *take; /* [targets] what becomes of them */
    bool looked;            /* at all samples, before: they are right */
};

/* A block of rows of the source, and where a pass is. */
struct stream_pass {
    const struct dataset *data;
    struct budget *budget;
    struct row_reader *reader;
    void **block;             /* [columns] */
    int64_t room, begin, end; /* rows of it, and which of them are still to be taken */
    int64_t at;               /* the next row of the source */
    bool ended;
};

/* Where samples go: [inputs], [targets], and weights where the set has them. */
struct stream_target {
    void **x, **y;
    float *weights;
};

/* On failure there is nothing to close. */
bool stream_open(struct stream_pass *p, const struct dataset *d, int64_t number, struct budget *b, struct report *r);
/* Up to n samples; *got is 0 at the end. *first is the number of the first, as in memory it would be that of its
 * row. */
bool stream_next(struct stream_pass *p, int64_t n, const struct stream_target *to, int64_t *got, int64_t *first,
                 struct report *r);
void stream_close(struct stream_pass *p);
/* All rows of the source that come next, as they are there, are the block: [0, *got). */
bool stream_block(struct stream_pass *p, int64_t *got, struct report *r);

/* The set becomes a stream of the rows of d->source, whose types its columns have. */
bool stream_make(struct dataset *d, int64_t rows, int64_t window, const char *where, struct report *r);

/* A walk through samples in their order, wherever they are: some at a time, as columns in memory. */
struct walk {
    const struct dataset *data;
    struct column *x, *y, weights; /* of these, */
    int64_t from, count;           /* these rows; 0: there are no more. */
    int64_t first;                 /* The number of the first of them */
    struct stream_pass pass;
    struct stream_target to;
    struct arena memory;
    bool streamed, done;
};
bool walk_begin(struct walk *w, const struct dataset *d, struct budget *b, struct report *r);
bool walk_next(struct walk *w, struct report *r);
void walk_end(struct walk *w);

#endif
