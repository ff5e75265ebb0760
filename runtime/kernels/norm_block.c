#include "kernels/norm_block.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include <string.h>

/* How x[rows, channels] is cut. Few channels are looked at as several rows side by side, so that vectors are full, with
 * parameters that stand as often in scratch. Many are cut into panels. */
struct cut {
    int64_t rows, channels;
    int64_t width;        /* columns of a row for the kernels: a multiple of channels, or a panel */
    int64_t panels;       /* 1 where rows are whole */
    int64_t each, pieces; /* rows of a chunk; how many such chunks */
};
enum {
    VECTOR = 16, /* of the widest table */
    NARROW = 64, /* narrower rows are put side by side */
    MOST_COLUMNS = 1024,
    PANEL = 512,
    PIECE = JOB_ELEMENTS / 2, /* elements of a chunk: still in the cache when it is looked at again */
    LEAST_ROWS = 64,
    BLOCK = 1024,          /* elements that go from one function to the next */
    FEW = 2 * JOB_ELEMENTS /* elements that one thread does alone */
};

static size_t bytes_of(int64_t n, size_t size)
{
    return ((size_t)n * size + 63) / 64 * 64;
}

static struct cut cut_of(int64_t rows, int64_t channels)
{
    struct cut c = { .rows = rows, .channels = channels, .width = channels, .panels = 1 };
    int64_t beside = 1;

    if (!channels)
        return c;
    while (channels * beside % VECTOR || channels * beside < NARROW)
        beside *= 2;
    if (channels > MOST_COLUMNS) {
        c.width = PANEL;
        c.panels = (channels - 1) / PANEL + 1;
    } else if (channels * beside <= MOST_COLUMNS) {
        c.width = channels * beside;
    }
    c.each = greater(LEAST_ROWS, PIECE / (c.panels > 1 ? PANEL : channels));
    c.pieces = rows ? (rows - 1) / c.each + 1 : 0;
    return c;
}
static int64_t repeated(const struct cut *c) /* length of a parameter in scratch */
{
    return c->panels > 1 ? c->channels : c->width;
}

static void run_cut(struct pool *pool, const struct cut *c, void (*chunk)(void *, int64_t, int), void *context)
{
    pool_run(c->rows * c->channels < FEW ? NULL : pool, c->pieces * c->panels, chunk, context);
}

/* One chunk: rows [from, from + rows), channels [at, at + columns). */
struct piece {
    int64_t number, from, rows, at, columns;
};
static struct piece piece_of(const struct cut *c, int64_t chunk)
{
    const int64_t number = chunk / c->panels, from = number * c->each, at = chunk % c->panels * PANEL;
    const int64_t columns = c->panels > 1 ? lesser(PANEL, c->channels - at) : c->channels;

    return (struct piece){ number, from, lesser(c->each, c->rows - from), at, columns };
}

/* Some elements of a piece that lie side by side, n of them from `at` on; the parameters of the first are at `column`,
 * and stand again after `width`. */
struct block {
    int64_t at, n, column, width, done;
};
static bool next_block(const struct cut *c, const struct piece *p, struct block *b)
{
    const int64_t left = (c->panels > 1 ? p->rows : p->rows * c->channels) - b->done;

    if (left <= 0)
        return false;
    if (c->panels > 1) {
        *b = (struct block){ (p->from + b->done) * c->channels + p->at, p->columns, p->at, p->columns, b->done + 1 };
    } else {
        const int64_t n = lesser(left, greater(1, BLOCK / c->width) * c->width);

        *b = (struct block){ p->from * c->channels + b->done, n, 0, c->width, b->done + n };
    }
    return true;
}

static void scale_shift(const struct kernels *k, const float *x, float *y, int64_t n, int64_t width, const float *mean,
                        const float *scale, const float *shift)
{
    const int64_t whole = n / width * width;

    k->norm->scale_shift_columns(x, y, n / width, width, width, mean, scale, shift);
    if (whole < n)
        k->norm->scale_shift_columns(x + whole, y + whole, 1, n - whole, n - whole, mean, scale, shift);
}

/* -- statistics -- */

/* What was summed in columns becomes sums of channels. */
static void fold(double *sums, int64_t width, int64_t channels)
{
    for (int64_t at = channels; at < width; at += channels)
        for (int64_t c = 0; c < channels; c++)
            sums[c] += sums[at + c];
}

/* Rows of `width` columns, then one of `rest`. */
struct columns {
    int64_t rows, width, stride, rest, rest_at;
};
static struct columns columns_of(const struct cut *c, const struct piece *p)
{
    const int64_t n = p->rows * c->channels;

    if (c->panels > 1)
        return (struct columns){ p->rows, p->columns, c->channels, 0, 0 };
    return (struct columns){ n / c->width, c->width, c->width, n % c->width, n / c->width * c->width };
}

/* The first look finds the mean but for its rounding, the second one what is exact. */
static void moments_of(const struct kernels *k, const struct columns *s, int64_t rows, int64_t columns, const float *x,
                       double *mean, double *squares)
{
    float about[MOST_COLUMNS] = { 0 };
    double sum[MOST_COLUMNS] = { 0 }, square[MOST_COLUMNS] = { 0 };

    k->reduce->sum_rows(x, s->rows, s->width, s->stride, about);
    k->reduce->sum_rows(x + s->rest_at, s->rest > 0, s->rest, s->rest, about);
    for (int64_t at = columns; at < s->width; at += columns)
        for (int64_t c = 0; c < columns; c++)
            about[c] += about[at + c];
    for (int64_t c = 0; c < columns; c++)
        about[c] /= (float)rows;
    for (int64_t at = columns; at < s->width; at += columns)
        memcpy(about + at, about, (size_t)columns * sizeof *about);
    k->norm->moments_columns(x, s->rows, s->width, s->stride, about, sum, square);
    k->norm->moments_columns(x + s->rest_at, s->rest > 0, s->rest, s->rest, about, sum, square);
    fold(sum, s->width, columns);
    fold(square, s->width, columns);
    for (int64_t c = 0; c < columns; c++) {
        const double off = sum[c] / (double)rows;

        mean[c] = (double)about[c] + off;
        squares[c] = square[c] - off * sum[c];
    }
}

void norm_block_moments(const struct kernels *k, int64_t rows, int64_t channels, const float *x, double *record)
{
    struct cut c = cut_of(rows, channels);

    c.each = rows;
    record[0] = (double)rows;
    for (int64_t panel = 0; panel < c.panels; panel++) {
        const struct piece p = piece_of(&c, panel);
        const struct columns s = columns_of(&c, &p);

        moments_of(k, &s, rows, p.columns, x + p.at, record + 1 + p.at, record + 1 + channels + p.at);
    }
}

struct moments {
    const struct kernels *k;
    struct cut cut;
    const float *x;
    double *records;
};
static void moments_chunk(void *context, int64_t chunk, int thread)
{
    const struct moments *m = context;
    const struct piece p = piece_of(&m->cut, chunk);
    const struct columns s = columns_of(&m->cut, &p);
    double *const record = m->records + p.number * norm_record(m->cut.channels);

    (void)thread;
    if (!p.at)
        record[0] = (double)p.rows;
    moments_of(m->k, &s, p.rows, p.columns, m->x + p.from * m->cut.channels + p.at, record + 1 + p.at,
               record + 1 + m->cut.channels + p.at);
}

void norm_moments_join(int64_t count, int64_t channels, const double *records, int64_t rows, float *mean, float *var)
{
    const int64_t step = norm_record(channels);
    double middle[PANEL], squares[PANEL];

    for (int64_t from = 0; from < channels; from += PANEL) {
        const int64_t n = lesser(PANEL, channels - from);

        memset(middle, 0, sizeof middle);
        memset(squares, 0, sizeof squares);
        for (int64_t b = 0; b < count; b++) {
            const double *const record = records + b * step, weight = record[0], *const means = record + 1 + from;

            for (int64_t c = 0; c < n; c++)
                middle[c] += weight * means[c];
        }
        for (int64_t c = 0; c < n; c++)
            middle[c] /= (double)rows;
        for (int64_t b = 0; b < count; b++) {
            const double *const record = records + b * step, weight = record[0], *const means = record + 1 + from;

            for (int64_t c = 0; c < n; c++) {
                const double off = means[c] - middle[c];

                squares[c] += means[channels + c] + weight * (off * off);
            }
        }
        for (int64_t c = 0; c < n; c++) {
            const double v = squares[c] / (double)rows;

            mean[from + c] = (float)middle[c];
            var[from + c] = (float)(v < 0 ? 0 : v);
        }
    }
}

size_t norm_moments_scratch(int64_t rows, int64_t channels)
{
    return bytes_of(cut_of(rows, channels).pieces * norm_record(channels), sizeof(double));
}
void norm_moments(const struct kernels *k, struct pool *pool, int64_t rows, int64_t channels, const float *x,
                  float *mean, float *var, void *scratch)
{
    struct moments m = { k, cut_of(rows, channels), x, scratch };

    run_cut(pool, &m.cut, moments_chunk, &m);
    norm_moments_join(m.cut.pieces, channels, m.records, rows, mean, var);
}

/* -- parameters -- */

/* Of each channel, repeated: z = (x - mean) * scale + shift; dx = p * g + q * (x - mean) + r. */
struct lines {
    float *mean, *scale, *shift, *p, *q, *r;
};
static struct lines lines_in(float *scratch, int64_t n)
{
    const int64_t step = (int64_t)(bytes_of(n, sizeof *scratch) / sizeof *scratch);

    return (struct lines){
        scratch, scratch + step, scratch + 2 * step, scratch + 3 * step, scratch + 4 * step, scratch + 5 * step
    };
}
static void repeat(float *line, int64_t n, int64_t channels)
{
    for (int64_t at = channels; at < n; at += channels)
        memcpy(line + at, line, (size_t)channels * sizeof *line);
}
static void forward_lines(const struct norm_parameters *p, int64_t n, int64_t channels, struct lines *to)
{
    for (int64_t c = 0; c < channels; c++) {
        to->mean[c] = p->mean ? p->mean[c] : 0;
        to->scale[c] = (p->invstd ? p->invstd[c] : 1) * (p->scale ? p->scale[c] : 1);
        to->shift[c] = p->bias ? p->bias[c] : 0;
    }
    repeat(to->mean, n, channels);
    repeat(to->scale, n, channels);
    repeat(to->shift, n, channels);
}
/* dx = scale * invstd * (g - mean(g) - (x - mean) * invstd^2 * mean(g * (x - mean))); sums NULL: the statistics are
 * constants. */
static void backward_lines(const struct norm_parameters *p, const double *sums, double inverse_count, int64_t n,
                           int64_t channels, struct lines *to)
{
    for (int64_t c = 0; c < channels; c++) {
        const double invstd = (double)p->invstd[c], on_g = (double)to->scale[c] * inverse_count;

        to->p[c] = to->scale[c];
        to->q[c] = sums ? (float)(-on_g * invstd * invstd * sums[channels + c]) : 0;
        to->r[c] = sums ? (float)(-on_g * sums[c]) : 0;
    }
    repeat(to->p, n, channels);
    repeat(to->q, n, channels);
    repeat(to->r, n, channels);
}

/* -- the block -- */

struct work {
    const struct kernels *k;
    const struct norm_block *b;
    struct cut cut; /* of x; of the pooled tensor while there is a pool and sums are made */
    int64_t rows, columns, lines,
        line_each; /* of the pool: its output's height and width, images * height, a chunk's */
    int64_t width; /* of the parameters */
    struct lines with;
    const float *x, *dy, *won; /* won: what `best` was forward */
    float *best, *y, *dx;
    double *sums; /* [pieces][2][channels] */
};

static int64_t rows_of(const struct norm_block *b)
{
    return b->images * b->height * b->width;
}
static int64_t pooled_rows_of(const struct norm_block *b)
{
    return b->pool ? b->images * (b->height / 2) * (b->width / 2) : rows_of(b);
}

static struct work work_of(const struct kernels *k, const struct norm_block *b, void *scratch)
{
    struct work w = { .k = k, .b = b, .cut = cut_of(rows_of(b), b->channels) };

    w.width = repeated(&w.cut);
    if (scratch)
        w.with = lines_in(scratch, w.width);
    w.rows = b->height / 2;
    w.columns = b->width / 2;
    w.lines = b->images * w.rows;
    w.line_each = b->pool ? greater(1, 2 * PIECE / (2 * b->width * b->channels)) : 0;
    return w;
}

bool norm_block_fits(const struct norm_block *b)
{
    if (!b->pool)
        return b->normal;
    return b->channels > 0 && b->channels <= BLOCK && b->height > 1 && b->width > 1;
}

/* Some pixels of the pool's output that lie side by side: whole lines, or a part of one. */
struct segment {
    int64_t line, lines, from, pixels;
};
static bool next_segment(const struct work *w, int64_t end, struct segment *s)
{
    const int64_t channels = w->b->channels, line = w->columns * channels;

    s->from += s->pixels;
    if (s->from >= w->columns) {
        s->line += s->lines;
        s->from = 0;
    }
    if (s->line >= end)
        return false;
    s->lines = line > BLOCK ? 1 : lesser(end - s->line, BLOCK / line);
    s->pixels = line > BLOCK ? lesser(w->columns - s->from, BLOCK / channels) : w->columns;
    return true;
}
static struct segment segments_of(const struct work *w, int64_t chunk)
{
    return (struct segment){ .line = chunk * w->line_each };
}
static int64_t segments_end(const struct work *w, int64_t chunk)
{
    return lesser(w->lines, (chunk + 1) * w->line_each);
}
static void run_lines(struct pool *pool, struct work *w, void (*chunk)(void *, int64_t, int))
{
    const int64_t chunks = w->lines ? (w->lines - 1) / w->line_each + 1 : 0;

    pool_run(w->cut.rows * w->b->channels < FEW ? NULL : pool, chunks, chunk, w);
}
/* The first element of x under the windows of a line. */
static int64_t under(const struct work *w, int64_t line)
{
    const struct norm_block *b = w->b;

    return ((line / w->rows * b->height + line % w->rows * 2) * b->width) * b->channels;
}

static void forward_chunk(void *context, int64_t chunk, int thread)
{
    const struct work *w = context;
    const struct norm_block *b = w->b;
    const struct piece p = piece_of(&w->cut, chunk);
    struct block at = { 0 };

    (void)thread;
    while (next_block(&w->cut, &p, &at)) {
        scale_shift(w->k, w->x + at.at, w->y + at.at, at.n, at.width, w->with.mean + at.column,
                    w->with.scale + at.column, w->with.shift + at.column);
        if (b->act)
            formula_of_1(b->act, w->k, b->numbers, w->y + at.at, w->y + at.at, at.n);
    }
}

static void forward_lines_chunk(void *context, int64_t chunk, int thread)
{
    const struct work *w = context;
    const struct norm_block *b = w->b;
    const int64_t c = b->channels, x_row = b->width * c, end = segments_end(w, chunk);
    struct segment s = segments_of(w, chunk);

    (void)thread;
    while (next_segment(w, end, &s)) {
        const int64_t first = (s.line * w->columns + s.from) * c, n = s.lines * s.pixels * c;
        float *const y = w->y + first, *const best = w->best ? w->best + first : NULL;
        const float *z = b->normal || !best ? y : best;

        for (int64_t l = 0; l < s.lines; l++) {
            const float *const x = w->x + under(w, s.line + l) + 2 * s.from * c;
            const int64_t at = l * s.pixels * c;

            if (b->normal)
                w->k->norm->norm_pool(x, x_row, s.pixels, c, w->with.mean, w->with.scale, w->with.shift,
                                      best ? best + at : NULL, y + at);
            else
                w->k->norm->last_pool(x, x_row, s.pixels, c, (best ? best : y) + at);
        }
        if (b->act)
            formula_of_1(b->act, w->k, b->numbers, z, y, n);
        else if (z != y)
            memcpy(y, z, (size_t)n * sizeof *y);
    }
}

size_t norm_block_scratch(const struct norm_block *b)
{
    const struct cut c = cut_of(rows_of(b), b->channels);

    return b->normal ? 3 * bytes_of(repeated(&c), sizeof(float)) : 0;
}
void norm_block_forward(const struct kernels *k, struct pool *pool, const struct norm_block *b,
                        const struct norm_parameters *p, const float *x, float *y, float *best, void *scratch)
{
    struct work w = work_of(k, b, scratch);

    w.x = x;
    w.y = y;
    w.best = best;
    if (b->normal)
        forward_lines(p, w.width, b->channels, &w.with);
    if (b->pool)
        run_lines(pool, &w, forward_lines_chunk);
    else
        run_cut(pool, &w.cut, forward_chunk, &w);
}

/* -- and back -- */

/* dL/dz of n elements side by side, whose z come from `from`: x, or what won. In `g`, or dy itself. */
static const float *before_act(const struct work *w, const float *from, const float *dy, int64_t n, int64_t width,
                               int64_t column, float *g)
{
    const struct norm_block *b = w->b;
    const float *const mean = w->with.mean + column, *const scale = w->with.scale + column,
                       *const shift = w->with.shift + column;
    const int64_t rest = n % width, done = n - rest;
    before_f32 *before;

    if (!b->act)
        return dy;
    before = b->act->level[w->k->level]->before;
    before(from, dy, g, n / width, width, mean, scale, shift, b->numbers);
    before(from + done, dy + done, g + done, rest > 0, rest, mean, scale, shift, b->numbers);
    return g;
}

/* Sums of some rows, in float, go into those of a chunk. */
static void flush(float *from, double *to, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        to[c] += (double)from[c];
    memset(from, 0, (size_t)n * sizeof *from);
}
static void sums_chunk(void *context, int64_t chunk, int thread)
{
    const struct work *w = context;
    const struct piece p = piece_of(&w->cut, chunk);
    const float *const from = w->b->pool ? w->won : w->x;
    double *const to = w->sums + 2 * p.number * w->cut.channels + p.at;
    const int64_t width = w->cut.panels > 1 ? p.columns : w->cut.width, across = 2 * width;
    float some[2 * MOST_COLUMNS], made[BLOCK];
    double all[2 * MOST_COLUMNS];
    struct block at = { 0 };
    int64_t since = 0;

    (void)thread;
    memset(some, 0, (size_t)across * sizeof *some);
    memset(all, 0, (size_t)across * sizeof *all);
    while (next_block(&w->cut, &p, &at)) {
        const float *const g = before_act(w, from + at.at, w->dy + at.at, at.n, at.width, at.column, made);
        const float *const mean = w->with.mean + at.column;
        const int64_t rows = at.n / width, rest = at.n % width;

        w->k->norm->dot_rows(from + at.at, g, rows, width, width, mean, some, some + width);
        w->k->norm->dot_rows(from + at.at + rows * width, g + rows * width, rest > 0, rest, rest, mean, some,
                             some + width);
        since += rows + 1;
        if (since > LEAST_ROWS) {
            flush(some, all, across);
            since = 0;
        }
    }
    flush(some, all, across);
    fold(all, width, p.columns);
    fold(all + width, width, p.columns);
    memcpy(to, all, (size_t)p.columns * sizeof *to);
    memcpy(to + w->cut.channels, all + width, (size_t)p.columns * sizeof *to);
}

static void backward_chunk(void *context, int64_t chunk, int thread)
{
    const struct work *w = context;
    const struct piece p = piece_of(&w->cut, chunk);
    const struct lines *l = &w->with;
    struct block at = { 0 };
    float made[BLOCK];

    (void)thread;
    while (next_block(&w->cut, &p, &at)) {
        const float *const x = w->x + at.at, *const g =
                                                 before_act(w, x, w->dy + at.at, at.n, at.width, at.column, made);
        const int64_t rows = at.n / at.width, done = rows * at.width, rest = at.n - done, c = at.column;
        float *const dx = w->dx + at.at;

        w->k->norm->norm_back_columns(x, g, dx, rows, at.width, at.width, l->mean + c, l->p + c, l->q + c, l->r + c);
        w->k->norm->norm_back_columns(x + done, g + done, dx + done, rest > 0, rest, rest, l->mean + c, l->p + c,
                                      l->q + c, l->r + c);
    }
}

/* n elements that fill no window. */
static void backward_rest(const struct work *w, int64_t at, int64_t n)
{
    if (!w->b->normal)
        memset(w->dx + at, 0, (size_t)n * sizeof *w->dx);
    else
        scale_shift(w->k, w->x + at, w->dx + at, n, w->width, w->with.mean, w->with.q, w->with.r);
}
static void backward_line(const struct work *w, int64_t line, int64_t from, int64_t pixels, const float *best,
                          const float *g)
{
    const struct norm_block *b = w->b;
    const struct lines *l = &w->with;
    const int64_t c = b->channels, x_row = b->width * c, first = under(w, line), at = first + 2 * from * c;

    if (b->normal)
        w->k->norm->norm_pool_back(w->x + at, x_row, best, g, pixels, c, l->mean, l->p, l->q, l->r, w->dx + at);
    else
        w->k->norm->last_pool_back(w->x + at, x_row, best, g, pixels, c, w->dx + at);
    if (from + pixels < w->columns)
        return;
    for (int row = 0; row < 2 && b->width % 2; row++)
        backward_rest(w, first + (row + 1) * x_row - c, c);
    if (b->height % 2 && line % w->rows == w->rows - 1)
        backward_rest(w, first + 2 * x_row, x_row);
}
static void backward_lines_chunk(void *context, int64_t chunk, int thread)
{
    const struct work *w = context;
    const int64_t c = w->b->channels, end = segments_end(w, chunk);
    struct segment s = segments_of(w, chunk);
    float made[BLOCK];

    (void)thread;
    while (next_segment(w, end, &s)) {
        const int64_t first = (s.line * w->columns + s.from) * c, n = s.lines * s.pixels * c;
        const float *const g = before_act(w, w->won + first, w->dy + first, n, w->width, 0, made);

        for (int64_t l = 0; l < s.lines; l++) {
            const int64_t at = l * s.pixels * c;

            backward_line(w, s.line + l, s.from, s.pixels, w->won + first + at, g + at);
        }
    }
}

size_t norm_block_grad_scratch(const struct norm_block *b)
{
    const struct cut x = cut_of(rows_of(b), b->channels), pooled = cut_of(pooled_rows_of(b), b->channels);

    return 6 * bytes_of(repeated(&x), sizeof(float)) + bytes_of((pooled.pieces + 1) * 2 * b->channels, sizeof(double));
}
/* Leaves sums[2][channels] in w->sums: of g, and of g * (x - mean). */
static void make_sums(struct pool *pool, struct work *w, float *dscale, float *dbias, const float *invstd)
{
    const struct cut whole = w->cut;
    const int64_t channels = whole.channels;

    w->cut = cut_of(pooled_rows_of(w->b), channels);
    if (!w->cut.pieces)
        memset(w->sums, 0, 2 * (size_t)channels * sizeof *w->sums);
    run_cut(pool, &w->cut, sums_chunk, w);
    for (int64_t piece = 1; piece < w->cut.pieces; piece++)
        for (int64_t i = 0; i < 2 * channels; i++)
            w->sums[i] += w->sums[2 * piece * channels + i];
    w->cut = whole;
    for (int64_t c = 0; c < channels && dscale; c++)
        dscale[c] = (float)(w->sums[channels + c] * (double)invstd[c]);
    for (int64_t c = 0; c < channels && dbias; c++)
        dbias[c] = (float)w->sums[c];
}
void norm_block_backward(const struct kernels *k, struct pool *pool, const struct norm_block *b,
                         const struct norm_parameters *p, bool training, const float *dy, const float *x,
                         const float *best, float *dx, float *dscale, float *dbias, void *scratch)
{
    struct work w = work_of(k, b, scratch);

    w.x = x;
    w.dy = dy;
    w.won = best;
    w.dx = dx;
    if (!b->normal) {
        forward_lines(&(struct norm_parameters){ 0 }, w.width, b->channels, &w.with); /* z is x */
    } else {
        w.sums = (double *)((char *)scratch + 6 * bytes_of(w.width, sizeof(float)));
        forward_lines(p, w.width, b->channels, &w.with);
        if (training || dscale || dbias)
            make_sums(pool, &w, dscale, dbias, p->invstd);
        backward_lines(p, training ? w.sums : NULL, 1 / (double)rows_of(b), w.width, b->channels, &w.with);
    }
    if (dx && b->pool)
        run_lines(pool, &w, backward_lines_chunk);
    else if (dx)
        run_cut(pool, &w.cut, backward_chunk, &w);
}
