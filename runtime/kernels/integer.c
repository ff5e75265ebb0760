#include "kernels/integer.h"
#include "kernels/index.h"
#include "kernels/parts.h"
#include <string.h>

/* -- pack -- */

size_t integer_rows_bytes(int64_t rows, int64_t depth)
{
    return (size_t)(rows * integer_pairs(depth)) * 2 * sizeof(int16_t);
}

size_t integer_columns_bytes(const struct kernels *k, int64_t columns, int64_t depth)
{
    return integer_rows_bytes(divide_up(columns, k->lanes) * k->lanes, depth);
}

struct packing {
    const struct kernels *k;
    struct integer_operand from;
    int64_t depth, count, columns, blocks, slices;
    int16_t *to;
};

/* One row of n bytes; `zero` as integer_zero gives it. */
static void widen_row(const struct packing *p, const uint8_t *x, int64_t n, int16_t zero, int16_t *to)
{
    const struct byte_run run = { 0, 0, n };
    const struct byte_runs runs = {
        .x = x, .runs = &run, .count = 1, .step = 1, .flip = integer_flip(&p->from), .zero = zero
    };

    p->k->integer->widen(&runs, to);
}

/* So many rows or columns of `work` numbers each that a job is worth its while. */
static int64_t worth(int64_t work)
{
    return greater(JOB_ELEMENTS / greater(work, 1), 1);
}

static void rows_chunk(void *context, int64_t chunk, int thread)
{
    const struct packing *p = context;
    const int64_t wide = 2 * integer_pairs(p->depth), each = worth(p->depth);
    const int64_t end = lesser((chunk + 1) * each, p->count);

    (void)thread;
    for (int64_t r = chunk * each; r < end; r++) {
        widen_row(p, p->from.data + r * p->depth, p->depth, integer_zero(&p->from, r), p->to + r * wide);
        if (wide > p->depth)
            p->to[r * wide + p->depth] = 0;
    }
}

void integer_pack_rows(const struct kernels *k, struct pool *pool, const struct integer_operand *a, int64_t rows,
                       int64_t depth, int16_t *to)
{
    struct packing p = { .k = k, .from = *a, .depth = depth, .count = rows, .to = to };

    pool_run(pool, divide_up(rows, worth(depth)), rows_chunk, &p);
}

/* Columns go in blocks of so many, each depth of which is a line before it is paired. */
enum { LINE = 4 * INTEGER_COLUMNS };

/* Depth d of the columns of a block; zeros where there is no such depth. `own`: of the columns, where each has one. */
static void widen_line(const struct packing *p, const uint8_t *matrix, int64_t d, int64_t column, int64_t n,
                       const int16_t *own, int16_t *line)
{
    if (d >= p->depth) {
        memset(line, 0, LINE * sizeof *line);
        return;
    }
    widen_row(p, matrix + d * p->columns + column, n, own ? 0 : integer_zero(&p->from, 0), line);
    for (int64_t c = 0; own && c < n; c++)
        line[c] = (int16_t)(line[c] - own[c]);
}

static void columns_chunk(void *context, int64_t chunk, int thread)
{
    const struct packing *p = context;
    const int lanes = p->k->lanes;
    const int64_t block = chunk / p->slices % p->blocks, number = chunk / p->slices / p->blocks;
    const int64_t column = block * LINE, n = lesser(p->columns - column, LINE), pairs = integer_pairs(p->depth);
    const int64_t from = even_start(pairs, p->slices, chunk % p->slices);
    const int64_t to = even_start(pairs, p->slices, chunk % p->slices + 1), panel = pairs * 2 * lanes;
    const uint8_t *const matrix = p->from.data + number * p->depth * p->columns;
    const bool each = p->from.zero && p->from.zeros > 1;
    int16_t *const panels = p->to + (number * divide_up(p->columns, lanes) + column / lanes) * panel;
    int16_t even[LINE] = { 0 }, odd[LINE] = { 0 }, own[LINE];

    (void)thread;
    for (int64_t c = 0; each && c < n; c++)
        own[c] = integer_zero(&p->from, number * p->columns + column + c);
    for (int64_t i = from; i < to; i++) {
        widen_line(p, matrix, 2 * i, column, n, each ? own : NULL, even);
        widen_line(p, matrix, 2 * i + 1, column, n, each ? own : NULL, odd);
        p->k->integer->pair(even, odd, divide_up(n, lanes), panel, panels + i * 2 * lanes);
    }
}

void integer_pack_columns(const struct kernels *k, struct pool *pool, const struct integer_operand *b, int64_t count,
                          int64_t columns, int64_t depth, int16_t *to)
{
    struct packing p = { .k = k, .from = *b, .depth = depth, .columns = columns, .to = to };

    p.blocks = divide_up(columns, LINE);
    p.slices = divide_up(integer_pairs(depth), worth(2 * LINE));
    pool_run(pool, count * p.blocks * p.slices, columns_chunk, &p);
}

/* -- finish -- */

static void quantize_again(const struct kernels *k, const struct integer_result *r, const struct integer_part *part,
                           const int32_t *sums, int64_t from, int64_t n, uint8_t *y)
{
    const float a = r->a_scale[part->a_row % r->a_scales];
    const float *const b = r->b_scale + (part->b_column + from) % r->b_scales;
    const bool each = r->b_scales > 1;
    float scale[INTEGER_COLUMNS], zero[INTEGER_COLUMNS];
    const struct quantizing q = { .scale = scale, .zero = zero, .each = each, .least = r->least, .most = r->most };

    for (int64_t c = 0; c < (each ? n : 1); c++) {
        scale[c] = a * b[c] / r->y_scale;
        zero[c] = r->zero;
    }
    k->integer->requantize(&q, sums + from, y, n);
}

void integer_finish(const struct kernels *k, const struct integer_result *r, const struct integer_part *part,
                    int32_t *sums)
{
    const int64_t row = part->product * r->product_step + part->row * r->row_step;
    const uint32_t bias = r->bias ? (uint32_t)r->bias[part->a_row] : 0;

    for (int64_t c = 0; bias && c < part->columns; c++)
        sums[c] = (int32_t)((uint32_t)sums[c] + bias);
    for (int64_t c = 0; r->column_bias && c < part->columns; c++)
        sums[c] = (int32_t)((uint32_t)sums[c] + (uint32_t)r->column_bias[part->column + c]);
    for (int64_t c = 0, n; c < part->columns; c += n) {
        const int64_t column = part->column + c, image = column / r->image, at = column % r->image;
        const int64_t to = image * r->image_step + row + at;

        n = lesser(part->columns - c, r->image - at);
        if (r->sums)
            memcpy(r->sums + to, sums + c, (size_t)n * sizeof *sums);
        else
            quantize_again(k, r, part, sums, c, n, r->y + to);
    }
}

/* -- multiply -- */

/* The result is cut into units: some rows of a few panels, which stay in a cache while rows of A pass by. */
struct multiplying {
    const struct kernels *k;
    const struct pool *pool;
    const struct integer_product *p;
    int64_t products, panels, groups; /* of panels, at most as many as a tile takes */
    int64_t unit_rows, row_blocks, unit_chunk;
};

/* Which operands a product has. */
static void operands_of(const struct integer_product *p, int64_t product, int64_t *a, int64_t *b)
{
    int64_t at[MAX_RANK];

    index_at(p->batch_rank, p->batch, product, at);
    *a = *b = 0;
    for (int d = 0; d < p->batch_rank; d++) {
        *a += at[d] * p->a_batch[d];
        *b += at[d] * p->b_batch[d];
    }
}

static void multiply_unit(const struct multiplying *m, int64_t unit)
{
    const struct integer_product *const p = m->p;
    const int64_t group = unit / m->row_blocks % m->groups, pairs = integer_pairs(p->depth);
    const int64_t panel = even_start(m->panels, m->groups, group);
    const int vectors = (int)(even_start(m->panels, m->groups, group + 1) - panel);
    const int64_t from = unit % m->row_blocks * m->unit_rows, end = lesser(from + m->unit_rows, p->rows);
    int32_t sums[INTEGER_ROWS][INTEGER_COLUMNS];
    struct integer_tile tile = { .a_row = 2 * pairs, .b_panel = 2 * pairs * m->k->lanes, .pairs = pairs, .c = sums };
    struct integer_part part = { .product = unit / m->row_blocks / m->groups };
    const int64_t column = panel * m->k->lanes;
    int64_t a, b;

    operands_of(p, part.product, &a, &b);
    tile.b = p->b + (b * m->panels + panel) * tile.b_panel;
    part.column = p->first_column + column;
    part.columns = lesser(vectors * m->k->lanes, p->columns - column);
    part.b_column = b * p->columns + column;
    for (int64_t r = from; r < end && !pool_late(m->pool); r += INTEGER_ROWS) {
        const int rows = (int)lesser(end - r, INTEGER_ROWS);

        tile.a = p->a + (a * p->rows + r) * tile.a_row;
        m->k->integer->tile(&tile, rows, vectors);
        for (int i = 0; i < rows; i++) {
            part.row = r + i;
            part.a_row = a * p->rows + r + i;
            integer_finish(m->k, &p->result, &part, sums[i]);
        }
    }
}

static void multiply_chunk(void *context, int64_t chunk, int thread)
{
    const struct multiplying *m = context;
    const int64_t units = m->products * m->groups * m->row_blocks;

    (void)thread;
    for (int64_t u = chunk * m->unit_chunk; u < lesser((chunk + 1) * m->unit_chunk, units); u++)
        multiply_unit(m, u);
}

void integer_multiply(const struct kernels *k, struct pool *pool, const struct integer_product *p)
{
    struct multiplying m = { .k = k, .pool = pool, .p = p };
    int64_t row_work;

    m.products = dims_product(p->batch, 0, p->batch_rank);
    if (!m.products || !p->rows || !p->columns)
        return;
    m.panels = divide_up(p->columns, k->lanes);
    m.groups = divide_up(m.panels, k->integer->vectors);
    row_work = (p->depth + 1) * k->integer->vectors * k->lanes;
    m.unit_rows = round_up(greater(JOB_PRODUCTS / row_work, 1), INTEGER_ROWS);
    m.row_blocks = divide_up(p->rows, m.unit_rows);
    m.unit_chunk = greater(JOB_PRODUCTS / (row_work * lesser(p->rows, m.unit_rows)), 1);
    pool_run(pool, divide_up(m.products * m.groups * m.row_blocks, m.unit_chunk), multiply_chunk, &m);
}
