#include "kernels/bands.h"
#include "kernels/machine.h"

enum {
    BAND_BYTES = CORE_CACHE / 16 * 3,
    CHUNKS = ENOUGH_JOBS,      /* wanted */
    CHUNK_WORK = JOB_PRODUCTS, /* multiplications that are worth a chunk */
};

int64_t bands_chunks(int64_t work)
{
    return lesser(CHUNKS, work / CHUNK_WORK + 1);
}

struct bands bands_of(int64_t batch, int64_t units, int64_t unit, int64_t unit_bytes, int64_t unit_work, int64_t across,
                      int64_t multiple)
{
    const int64_t wanted = bands_chunks(units * unit_work * batch);
    struct bands b = { .units = units, .unit = unit };

    b.bands = lesser(units, greater(units * unit_bytes / BAND_BYTES + 1, divide_up(wanted, batch * across)));
    b.band = divide_up(divide_up(units, b.bands), multiple) * multiple;
    b.bands = divide_up(units, b.band);
    if (units % b.band != 0 && units % b.band < multiple) /* not a small one at the end */
        b.band = divide_up(units, b.bands);
    b.blocks = b.bands * batch;
    b.block_chunk = greater(lesser(CHUNK_WORK / 2 / greater(b.band * unit_work, 1), b.blocks / CHUNKS), 1);
    if (wanted == 1)
        b.block_chunk = b.blocks;
    return b;
}

void band_finish(const struct bands *b, const struct epilogue *e, int64_t block, float *y, int thread)
{
    const struct span units = band_units(b, block);
    const int64_t from = (band_image(b, block) * b->units + units.from) * b->unit;

    e->finish(e->context, block, from, (units.to - units.from) * b->unit, y + from, thread);
}
