#include "data/stream.h"
#include "data/convert.h"
#include <string.h>

enum { BLOCK = 1 << 16 }; /* bytes of a block, if that is more than a row */

bool stream_make(struct dataset *d, int64_t rows, int64_t window, const char *where, struct report *r)
{
    struct stream *s = arena_alloc(&d->columns, sizeof *s, r);
    const size_t targets = d->unlabelled ? 0 : d->targets;

    if (!s)
        return false;
    *s = (struct stream){ .source = d->source, .where = where, .rows = rows, .window = window };
    s->raw = arena_array(&d->columns, d->inputs + targets + 1, sizeof *s->raw, r);
    s->take = arena_array(&d->columns, targets + 1, sizeof *s->take, r);
    if (!s->raw || !s->take)
        return false;
    for (size_t k = 0; k < d->inputs; k++)
        s->raw[s->columns++] = d->x[k].values;
    for (size_t k = 0; k < targets; k++)
        s->raw[s->columns++] = d->y[k].values;
    if (dataset_is_weighted(d))
        s->raw[s->columns++] = d->weights.values;
    d->stream = s;
    return true;
}

/* -- a pass -- */

static bool make_block(struct stream_pass *p, struct report *r)
{
    const struct stream *s = p->data->stream;
    int64_t bytes = 0;

    for (size_t k = 0; k < s->columns; k++)
        bytes += row_bytes(&s->raw[k]);
    p->room = bytes && bytes < BLOCK ? BLOCK / bytes : 1;
    p->block = budget_zalloc(p->budget, 2 * s->columns, sizeof *p->block, r);
    for (size_t k = 0; p->block && k < s->columns; k++) {
        p->block[k] = budget_alloc(p->budget, to_size(p->room * row_bytes(&s->raw[k])), r);
        if (!p->block[k])
            return false;
    }
    return p->block;
}

bool stream_open(struct stream_pass *p, const struct dataset *d, int64_t number, struct budget *b, struct report *r)
{
    const struct row_source *s = d->stream->source;

    *p = (struct stream_pass){ .data = d, .budget = b };
    if (make_block(p, r) && (p->reader = s->open(s, number, b, r)))
        return true;
    stream_close(p);
    return false;
}

void stream_close(struct stream_pass *p)
{
    if (p->reader)
        p->reader->close(p->reader);
    for (size_t k = 0; p->block && k < p->data->stream->columns; k++)
        budget_free(p->budget, p->block[k]);
    budget_free(p->budget, p->block);
    *p = (struct stream_pass){ 0 };
}

/* There are as many as was said, or at least one. */
static bool check_end(const struct stream_pass *p, struct report *r)
{
    const struct stream *s = p->data->stream;

    if (s->rows == UNKNOWN ? p->at > 0 : p->at == s->rows)
        return true;
    return s->rows == UNKNOWN
               ? fail(r, KILN_BAD_DATA, s->where, "no data: there is not one sample")
               : fail(r, KILN_BAD_DATA, s->where, "the data end after %lld samples, there should be %lld",
                      (long long)p->at, (long long)s->rows);
}

/* The rows that are there next; all others of the block have been taken. */
static bool read_block(struct stream_pass *p, struct report *r)
{
    const struct stream *s = p->data->stream;
    int64_t got = 0;

    if (!budget_in_time(p->budget, s->where, r) || !p->reader->next(p->reader, p->room, p->block, &got, r))
        return false;
    p->begin = 0;
    p->end = got;
    p->ended = got == 0;
    if (p->ended)
        return check_end(p, r);
    if (s->rows != UNKNOWN && got > s->rows - p->at)
        return fail(r, KILN_BAD_DATA, s->where, "there are more samples than the %lld that there should be",
                    (long long)s->rows);
    return s->looked || rows_check(p->data, p->block, p->at, got, r);
}

bool stream_block(struct stream_pass *p, int64_t *got, struct report *r)
{
    p->at += p->end - p->begin;
    *got = 0;
    if (!read_block(p, r))
        return false;
    *got = p->end;
    return true;
}

static const void *raw_row(const struct stream_pass *p, size_t column, int64_t row)
{
    return (const char *)p->block[column] + row * row_bytes(&p->data->stream->raw[column]);
}

/* What `n` rows of the block become. */
static void take(const struct stream_pass *p, int64_t n, const struct stream_target *to)
{
    const struct dataset *d = p->data;
    const struct stream *s = d->stream;
    size_t c = 0;

    for (size_t k = 0; k < d->inputs; k++, c++)
        memcpy(to->x[k], raw_row(p, c, p->begin), (size_t)(n * row_bytes(&s->raw[c])));
    for (size_t k = 0; k < d->targets; k++)
        if (d->unlabelled)
            memset(to->y[k], 0, (size_t)(n * row_bytes(&d->y[k].values)));
        else {
            target_take(s->take[k], &s->raw[c], raw_row(p, c, p->begin), n, to->y[k]);
            c++;
        }
    if (dataset_is_weighted(d))
        target_take(TAKE_VALUES, &s->raw[s->columns - 1], raw_row(p, s->columns - 1, p->begin), n, to->weights);
}

bool stream_next(struct stream_pass *p, int64_t n, const struct stream_target *to, int64_t *got, int64_t *first,
                 struct report *r)
{
    const struct dataset *d = p->data;
    const int64_t limit = d->count == UNKNOWN ? INT64_MAX : d->from + d->count;
    int64_t left;

    *got = 0;
    while (p->begin == p->end || p->at < d->from) {
        const int64_t skipped = d->from - p->at < p->end - p->begin ? d->from - p->at : p->end - p->begin;

        if (p->begin < p->end) {
            p->begin += skipped;
            p->at += skipped;
            continue;
        }
        if (p->ended || (p->at >= limit && limit != d->stream->rows))
            return true; /* what follows a range is none of its */
        if (!read_block(p, r))
            return false;
    }
    left = p->end - p->begin < limit - p->at ? p->end - p->begin : limit - p->at;
    *got = n < left ? n : left;
    *first = p->at;
    take(p, *got, to);
    p->begin += *got;
    p->at += *got;
    return true;
}

/* -- a walk -- */

static void *make_rows(struct walk *w, struct column *c, int64_t rows, struct report *r)
{
    c->values.dims[0] = rows;
    return c->values.data = arena_alloc(&w->memory, (size_t)tensor_bytes(&c->values), r);
}

static bool make_columns(struct walk *w, struct report *r)
{
    const struct dataset *d = w->data;
    const int64_t rows = w->pass.room;

    w->x = arena_array(&w->memory, d->inputs, sizeof *w->x, r);
    w->y = arena_array(&w->memory, d->targets, sizeof *w->y, r);
    w->to.x = arena_array(&w->memory, d->inputs, sizeof *w->to.x, r);
    w->to.y = arena_array(&w->memory, d->targets, sizeof *w->to.y, r);
    if (!w->x || !w->y || !w->to.x || !w->to.y)
        return false;
    memcpy(w->x, d->x, d->inputs * sizeof *w->x);
    memcpy(w->y, d->y, d->targets * sizeof *w->y);
    for (size_t k = 0; k < d->inputs; k++)
        if (!(w->to.x[k] = make_rows(w, &w->x[k], rows, r)))
            return false;
    for (size_t k = 0; k < d->targets; k++)
        if (!(w->to.y[k] = make_rows(w, &w->y[k], rows, r)))
            return false;
    return !dataset_is_weighted(d) || (w->to.weights = make_rows(w, &w->weights, rows, r));
}

bool walk_begin(struct walk *w, const struct dataset *d, struct budget *b, struct report *r)
{
    *w = (struct walk){ .data = d, .x = d->x, .y = d->y, .weights = d->weights, .memory.budget = b };
    w->streamed = d->stream;
    if (!d->stream)
        return true;
    if (!stream_open(&w->pass, d, 0, b, r))
        return false;
    if (make_columns(w, r))
        return true;
    walk_end(w);
    return false;
}

bool walk_next(struct walk *w, struct report *r)
{
    if (w->streamed)
        return stream_next(&w->pass, w->pass.room, &w->to, &w->count, &w->first, r);
    w->from = w->first = w->data->from;
    w->count = w->done ? 0 : w->data->count;
    w->done = true;
    return true;
}

void walk_end(struct walk *w)
{
    if (w->streamed)
        stream_close(&w->pass);
    arena_release(&w->memory);
}
