/* The shuffle window of a stream, as tf.data has it
 * (https://www.tensorflow.org/api_docs/python/tf/data/Dataset#shuffle): so many samples are in memory; the next one is
 * drawn from them, each equally likely, and the stream's next takes its place. Where the stream has ended the window
 * becomes smaller, until all are drawn. A window of as many samples as there are is a full shuffle, one of 1 is the
 * order of the stream.
 *
 * Samples lie in rows, which do not move: there are as many as the window and a batch have. What is drawn into a batch
 * stays in its row until window_free, when the batch was made. Draw number k of a pass depends on the seed, the pass
 * and k alone. */
#ifndef KILN_DATA_WINDOW_H
#define KILN_DATA_WINDOW_H

#include "data/stream.h"

struct window {
    const struct dataset *stream;
    struct dataset rows; /* a set whose columns are the rows */
    int64_t *number;     /* of the sample in each row, as in memory it would be that of its row */
    int64_t size;        /* of the window */
    uint64_t seed;
    struct stream_pass pass;
    bool open, ended; /* the pass; the stream in it */
    uint64_t epoch;
    int64_t *held, count;   /* rows in the window */
    int64_t *spare, spares; /* rows that hold nothing */
    int64_t *drawn, taken;  /* rows of the batch */
    int64_t drawings;       /* in this pass */
    struct budget *budget;
    struct stream_target to; /* scratch: where a row is */
    struct arena memory;
};

/* `size`: of the window, `batch`: samples that are drawn at most before window_free. On failure nothing is to be
 * released. */
bool window_init(struct window *w, const struct dataset *d, int64_t size, int64_t batch, uint64_t seed,
                 struct budget *b, struct report *r);
void window_release(struct window *w);
/* Pass `epoch` is next, from its first sample on. */
void window_start(struct window *w, uint64_t epoch);
/* Draws up to n samples: *got of them are in rows drawn[0 ...]. 0 at the end of the pass. */
bool window_draw(struct window *w, int64_t n, int64_t *got, struct report *r);
void window_free(struct window *w);

#endif
