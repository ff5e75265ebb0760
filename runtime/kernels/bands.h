/* How the pixels of a result are cut into blocks that threads take, by the shape alone: bands of rows of an image, that
 * fit a cache; chunks of several blocks where a block is hardly worth the trouble. */
#ifndef KILN_KERNELS_BANDS_H
#define KILN_KERNELS_BANDS_H

#include "kernels/epilogue.h"
#include "kernels/parts.h"

struct bands {
    int64_t units;       /* of an image: rows, or pixels where they do not depend on rows */
    int64_t unit;        /* elements of the result in one */
    int64_t bands, band; /* of an image; units of one */
    int64_t blocks, block_chunk;
};

/* `unit_bytes` are read and written for a unit, with `unit_work` multiplications; it is cut into `across` parts too. A
 * band is a multiple of `multiple` units, then it may be more than there are, or all are about as large. */
struct bands bands_of(int64_t batch, int64_t units, int64_t unit, int64_t unit_bytes, int64_t unit_work, int64_t across,
                      int64_t multiple);
int64_t bands_chunks(int64_t work); /* that so many multiplications are worth */

static inline struct span band_units(const struct bands *b, int64_t block)
{
    const int64_t from = block % b->bands * b->band;

    return (struct span){ from, lesser(from + b->band, b->units) };
}
static inline int64_t band_image(const struct bands *b, int64_t block)
{
    return block / b->bands;
}
static inline struct span chunk_blocks(const struct bands *b, int64_t chunk)
{
    return (struct span){ chunk * b->block_chunk, lesser((chunk + 1) * b->block_chunk, b->blocks) };
}
void band_finish(const struct bands *b, const struct epilogue *e, int64_t block, float *y, int thread);

#endif
