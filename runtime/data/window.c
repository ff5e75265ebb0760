#include "data/window.h"
#include "base/random.h"
#include <string.h>

static bool make_column(struct window *w, struct column *c, int64_t rows, struct report *r)
{
    int64_t bytes;

    c->values.dims[0] = rows;
    if (!mul_size(rows, row_bytes(&c->values), &bytes))
        return fail_no_memory(r, SIZE_MAX);
    c->values.data = arena_alloc(&w->memory, to_size(bytes), r);
    return c->values.data;
}

/* When the first sample is asked for: who only looks at types needs none of it. */
static bool make_rows(struct window *w, struct report *r)
{
    struct dataset *d = &w->rows;
    const int64_t rows = d->count;

    w->held = arena_array(&w->memory, to_size(w->size), sizeof *w->held, r);
    w->spare = w->held ? arena_array(&w->memory, to_size(rows), sizeof *w->spare, r) : NULL;
    w->drawn = w->spare ? arena_array(&w->memory, to_size(rows), sizeof *w->drawn, r) : NULL;
    w->number = w->drawn ? arena_array(&w->memory, to_size(rows), sizeof *w->number, r) : NULL;
    if (!w->number)
        return false;
    for (size_t k = 0; k < d->inputs; k++)
        if (!make_column(w, &d->x[k], rows, r))
            return false;
    for (size_t k = 0; k < d->targets; k++)
        if (!make_column(w, &d->y[k], rows, r))
            return false;
    return !dataset_is_weighted(d) || make_column(w, &d->weights, rows, r);
}

bool window_init(struct window *w, const struct dataset *d, int64_t size, int64_t batch, uint64_t seed,
                 struct budget *b, struct report *r)
{
    const int64_t most = dataset_most(d);
    struct dataset *rows = &w->rows;

    *w = (struct window){ .stream = d, .rows = *d, .seed = seed, .budget = b, .memory.budget = b };
    w->size = size < most ? size : most;
    rows->owns = false;
    rows->stream = NULL;
    rows->from = 0;
    if (!add_size(w->size, batch, &rows->count))
        rows->count = INT64_MAX;
    rows->x = arena_array(&w->memory, d->inputs, sizeof *rows->x, r);
    rows->y = arena_array(&w->memory, d->targets, sizeof *rows->y, r);
    w->to.x = arena_array(&w->memory, d->inputs, sizeof *w->to.x, r);
    w->to.y = arena_array(&w->memory, d->targets, sizeof *w->to.y, r);
    if (!rows->x || !rows->y || !w->to.x || !w->to.y) {
        window_release(w);
        return false;
    }
    memcpy(rows->x, d->x, d->inputs * sizeof *d->x);
    memcpy(rows->y, d->y, d->targets * sizeof *d->y);
    return true;
}

void window_release(struct window *w)
{
    if (w->open)
        stream_close(&w->pass);
    arena_release(&w->memory);
    *w = (struct window){ 0 };
}

void window_start(struct window *w, uint64_t epoch)
{
    if (w->open)
        stream_close(&w->pass);
    w->open = w->ended = false;
    w->epoch = epoch;
    w->count = w->taken = w->drawings = 0;
}

static void *row_of(const struct column *c, int64_t row)
{
    return (char *)c->values.data + row * row_bytes(&c->values);
}

/* The stream's next sample goes to a row that holds nothing, *row; -1 where there is none. */
static bool read_sample(struct window *w, int64_t *row, struct report *r)
{
    const struct dataset *d = &w->rows;
    const int64_t spare = w->spare[w->spares - 1];
    int64_t got;

    *row = -1;
    if (w->ended)
        return true;
    for (size_t k = 0; k < d->inputs; k++)
        w->to.x[k] = row_of(&d->x[k], spare);
    for (size_t k = 0; k < d->targets; k++)
        w->to.y[k] = row_of(&d->y[k], spare);
    if (dataset_is_weighted(d))
        w->to.weights = row_of(&d->weights, spare);
    if (!stream_next(&w->pass, 1, &w->to, &got, &w->number[spare], r))
        return false;
    w->ended = got == 0;
    if (w->ended) { /* what it holds is of use no more, and others may want to begin a pass */
        stream_close(&w->pass);
        w->open = false;
        return true;
    }
    *row = spare;
    w->spares--;
    return true;
}

static bool begin(struct window *w, struct report *r)
{
    if (!w->number && !make_rows(w, r))
        return false;
    w->spares = w->rows.count;
    for (int64_t k = 0; k < w->spares; k++) /* the first row is taken first */
        w->spare[k] = w->spares - 1 - k;
    w->open = stream_open(&w->pass, w->stream, (int64_t)w->epoch, w->budget, r);
    return w->open;
}

static bool fill(struct window *w, struct report *r)
{
    int64_t row;

    if (!w->open && !w->ended && !begin(w, r))
        return false;
    while (w->count < w->size && !w->ended) {
        if (!read_sample(w, &row, r))
            return false;
        if (row >= 0)
            w->held[w->count++] = row;
    }
    return true;
}

/* The next one takes the place of what was drawn, or the last of those that are there. */
static bool draw(struct window *w, struct report *r)
{
    const uint64_t stream = random_stream(RANDOM_NODE_WINDOW, w->epoch);
    const int64_t place = w->count > 1 ? random_index(w->count, w->seed, stream, (uint64_t)w->drawings) : 0;
    int64_t next;

    if (!read_sample(w, &next, r))
        return false;
    w->drawn[w->taken++] = w->held[place];
    w->drawings++;
    if (next < 0)
        next = w->held[--w->count];
    if (place < w->count)
        w->held[place] = next;
    return true;
}

bool window_draw(struct window *w, int64_t n, int64_t *got, struct report *r)
{
    *got = 0;
    if (!fill(w, r))
        return false;
    for (; *got < n && w->count; ++*got)
        if (!draw(w, r))
            return false;
    return true;
}

void window_free(struct window *w)
{
    while (w->taken)
        w->spare[w->spares++] = w->drawn[--w->taken];
}
