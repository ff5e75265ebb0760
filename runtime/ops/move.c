#include "ops/move.h"
#include "kernels/kernels.h"
#include "kernels/machine.h"
#include <stdio.h>
#include <string.h>

/* What one chunk of a pool's job moves: large enough to be worth a hand-over, small enough to share out. Work is cut by
 * these alone. */
enum { CHUNK_BYTES = JOB_ELEMENTS * (int)sizeof(float), TILE = 64 };

void move_strides(int rank, const int64_t *dims, int64_t *strides)
{
    int64_t n = 1;

    for (int d = rank - 1; d >= 0; d--) {
        strides[d] = n;
        n *= dims[d];
    }
}

/* -- loops over a run -- */

/* memcpy of a size that the compiler knows is one load and one store, of any alignment: these loops are made once for
 * each size. */
#define EACH_SIZE static inline __attribute__((always_inline)) void

/* Steps are in bytes. */
EACH_SIZE line(const size_t size, int64_t n, const char *from, int64_t from_step, char *to, int64_t to_step)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * to_step, from + i * from_step, size);
}

static void move_line(size_t size, int64_t n, const char *from, int64_t from_step, char *to, int64_t to_step)
{
    if (from_step == (int64_t)size && to_step == (int64_t)size) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    switch (size) {
    case 1:
        line(1, n, from, from_step, to, to_step);
        break;
    case 2:
        line(2, n, from, from_step, to, to_step);
        break;
    case 4:
        line(4, n, from, from_step, to, to_step);
        break;
    case 8:
        line(8, n, from, from_step, to, to_step);
        break;
    default:
        line(16, n, from, from_step, to, to_step);
    }
}

/* One value again and again: a step of 0, with the value where the compiler sees that nothing overwrites it. */
static void fill_line(size_t size, int64_t n, const char *value, char *to, int64_t to_step)
{
    char once[16];

    if (size == 1 && to_step == 1) {
        memset(to, value[0], (size_t)n);
        return;
    }
    memcpy(once, value, size);
    move_line(size, n, once, 0, to, to_step);
}

/* to[c * to_stride + r] = from[r * from_stride + c], both contiguous in the other direction. */
static void transpose_tile(const struct kernels *k, size_t size, int64_t rows, int64_t columns, const char *from,
                           int64_t from_stride, char *to, int64_t to_stride)
{
    const int64_t bytes = (int64_t)size;
    const bool aligned = ((uintptr_t)from | (uintptr_t)to) % size == 0; /* not where a run became one wider element */

    if (size == 4 && aligned)
        k->gemm->transpose_4((const uint32_t *)from, from_stride, (uint32_t *)to, to_stride, rows, columns);
    else if (size == 8 && aligned)
        k->gemm->transpose_8((const uint64_t *)from, from_stride, (uint64_t *)to, to_stride, rows, columns);
    else
        for (int64_t c = 0; c < columns; c++)
            move_line(size, rows, from + c * bytes, from_stride * bytes, to + c * to_stride * bytes, bytes);
}

/* -- the engine -- */

/* Drops dimensions of 1 and joins neighbours that one loop can take. */
static void collapse(struct move *m)
{
    int rank = 0;

    for (int d = 0; d < m->rank; d++) {
        const int last = rank - 1;

        if (m->dims[d] == 1)
            continue;
        if (rank && m->in[last] == m->in[d] * m->dims[d] && m->out[last] == m->out[d] * m->dims[d]) {
            m->dims[last] *= m->dims[d];
        } else {
            m->dims[rank] = m->dims[d];
            rank++;
        }
        m->in[rank - 1] = m->in[d];
        m->out[rank - 1] = m->out[d];
    }
    m->rank = rank;
}

/* A run that is contiguous on both sides and short becomes one wider element. */
static void widen_element(struct move *m)
{
    const int last = m->rank - 1;
    size_t wide;

    if (last < 1 || m->in[last] != 1 || m->out[last] != 1 || m->dims[last] > 16)
        return;
    wide = (size_t)m->dims[last] * m->size;
    if (wide != 2 && wide != 4 && wide != 8 && wide != 16)
        return;
    for (int d = 0; d < last; d++)
        if (m->in[d] % m->dims[last] || m->out[d] % m->dims[last])
            return;
    for (int d = 0; d < last; d++) {
        m->in[d] /= m->dims[last];
        m->out[d] /= m->dims[last];
    }
    m->size = wide;
    m->rank = last;
}

/* The innermost loops are taken out of a move: lines along one dimension, or tiles of two that are transposed. What is
 * left is counted through, `outer` items in all, each cut into `pieces` along the dimension `cut`. */
struct move_plan {
    struct move m;
    const struct kernels *k;
    const char *from;
    char *to;
    int across; /* the dimension in which `from` is contiguous, where that is not the last one; -1: lines */
    int cut;    /* the last one, or `across` where that one is short: the tiles of few rows are long */
    int64_t outer, pieces, piece, per_chunk;
};

static void take(struct move *m, int d)
{
    for (m->rank--; d < m->rank; d++) {
        m->dims[d] = m->dims[d + 1];
        m->in[d] = m->in[d + 1];
        m->out[d] = m->out[d + 1];
    }
}

/* Piece `piece` of the item at these offsets. */
static void move_item(const struct move_plan *p, int64_t piece, int64_t in, int64_t out)
{
    const struct move *m = &p->m;
    const int last = m->rank - 1;
    const int64_t size = (int64_t)m->size, at = piece * p->piece;
    const int64_t n = p->piece < m->dims[p->cut] - at ? p->piece : m->dims[p->cut] - at;
    const char *from = p->from + (in + at * m->in[p->cut]) * size;
    char *to = p->to + (out + at * m->out[p->cut]) * size;

    if (p->cut != last) {
        transpose_tile(p->k, m->size, m->dims[last], n, from, m->in[last], to, m->out[p->across]);
    } else if (p->across >= 0) {
        for (int64_t r = 0; r < n; r += TILE)
            transpose_tile(p->k, m->size, n - r < TILE ? n - r : TILE, m->dims[p->across],
                           from + r * m->in[last] * size, m->in[last], to + r * size, m->out[p->across]);
    } else if (m->in[last] == 0) {
        fill_line(m->size, n, from, to, m->out[last] * size);
    } else {
        move_line(m->size, n, from, m->in[last] * size, to, m->out[last] * size);
    }
}

static void move_chunk(void *context, int64_t chunk, int thread)
{
    const struct move_plan *p = context;
    const int64_t items = p->outer * p->pieces;
    const int64_t end = items - chunk * p->per_chunk < p->per_chunk ? items : (chunk + 1) * p->per_chunk;
    struct move outer = p->m;
    int64_t index[MOVE_RANK], item = chunk * p->per_chunk, rest = item / p->pieces, piece = item % p->pieces;
    int64_t in = 0, out = 0;

    (void)thread;
    outer.rank--;
    if (p->across >= 0)
        take(&outer, p->across);
    for (int d = outer.rank - 1; d >= 0; d--) {
        index[d] = rest % outer.dims[d];
        rest /= outer.dims[d];
        in += index[d] * outer.in[d];
        out += index[d] * outer.out[d];
    }
    for (; item < end; item++) {
        move_item(p, piece, in, out);
        if (++piece < p->pieces)
            continue;
        piece = 0;
        for (int d = outer.rank - 1; d >= 0; d--) {
            in += outer.in[d];
            out += outer.out[d];
            if (++index[d] < outer.dims[d])
                break;
            in -= outer.in[d] * outer.dims[d];
            out -= outer.out[d] * outer.dims[d];
            index[d] = 0;
        }
    }
}

/* Transposing pays where the last dimension is contiguous in `to` only and another one in `from`. */
static int find_across(const struct move *m)
{
    const int last = m->rank - 1;

    if (m->out[last] != 1 || m->in[last] == 1 || m->in[last] <= 0 || m->dims[last] < 3)
        return -1;
    for (int d = last - 1; d >= 0; d--)
        if (m->in[d] == 1 && m->dims[d] >= 4 && m->out[d] > 0)
            return d;
    return -1;
}

void move_run(const struct kernels *k, struct pool *pool, const struct move *m, const void *from, void *to)
{
    struct move_plan p = { .m = *m, .k = k, .from = from, .to = to, .outer = 1 };
    int64_t item_bytes;

    for (int d = 0; d < m->rank; d++)
        if (!m->dims[d])
            return;
    collapse(&p.m);
    widen_element(&p.m);
    if (!p.m.rank) {
        memcpy(to, from, p.m.size);
        return;
    }
    p.across = find_across(&p.m);
    for (int d = 0; d < p.m.rank - 1; d++)
        if (d != p.across)
            p.outer *= p.m.dims[d];
    p.cut = p.across >= 0 && p.m.dims[p.m.rank - 1] <= TILE ? p.across : p.m.rank - 1;
    item_bytes = (int64_t)p.m.size * (p.across < 0 ? 1 : p.m.dims[p.cut == p.across ? p.m.rank - 1 : p.across]);
    p.piece = CHUNK_BYTES / item_bytes ? CHUNK_BYTES / item_bytes : 1;
    if (p.piece > p.m.dims[p.cut])
        p.piece = p.m.dims[p.cut];
    p.pieces = (p.m.dims[p.cut] + p.piece - 1) / p.piece;
    p.per_chunk = CHUNK_BYTES / (item_bytes * p.piece) ? CHUNK_BYTES / (item_bytes * p.piece) : 1;
    pool_run(pool, (p.outer * p.pieces + p.per_chunk - 1) / p.per_chunk, move_chunk, &p);
}

void move_box(const struct kernels *k, struct pool *pool, size_t size, int rank, const int64_t *dims,
              const int64_t *from_dims, int64_t from_at, const void *from, const int64_t *to_dims, int64_t to_at,
              void *to)
{
    struct move m = { .size = size, .rank = rank };

    memcpy(m.dims, dims, (size_t)rank * sizeof *dims);
    move_strides(rank, from_dims, m.in);
    move_strides(rank, to_dims, m.out);
    for (int d = 0; d < rank; d++)
        if (!dims[d])
            return;
    move_run(k, pool, &m, (const char *)from + from_at * (int64_t)size, (char *)to + to_at * (int64_t)size);
}

/* -- filling -- */

struct fill {
    size_t size;
    const char *value;
    int64_t count;
    char *to;
};

static void fill_chunk(void *context, int64_t chunk, int thread)
{
    const struct fill *f = context;
    const int64_t each = CHUNK_BYTES / (int64_t)f->size, at = chunk * each;

    (void)thread;
    fill_line(f->size, f->count - at < each ? f->count - at : each, f->value, f->to + at * (int64_t)f->size,
              (int64_t)f->size);
}

void move_fill(struct pool *pool, size_t size, const void *value, int64_t count, void *to)
{
    struct fill f = { size, value, count, to };
    const int64_t each = CHUNK_BYTES / (int64_t)size;

    if (count)
        pool_run(pool, (count + each - 1) / each, fill_chunk, &f);
}

/* -- picking -- */

struct pick_job {
    const struct pick *p;
    const char *from;
    char *to;
    int64_t rows, per_chunk;
};

EACH_SIZE pick_each(const size_t size, const void *outside, const int64_t *pick, int64_t n, const char *from, char *to)
{
    for (int64_t i = 0; i < n; i++)
        memcpy(to + i * (int64_t)size, pick[i] < 0 ? outside : from + pick[i] * (int64_t)size, size);
}

static void pick_line(const struct pick *p, const int64_t *pick, int64_t n, const char *from, char *to)
{
    switch (p->size) {
    case 1:
        pick_each(1, p->outside, pick, n, from, to);
        break;
    case 2:
        pick_each(2, p->outside, pick, n, from, to);
        break;
    case 4:
        pick_each(4, p->outside, pick, n, from, to);
        break;
    case 8:
        pick_each(8, p->outside, pick, n, from, to);
        break;
    default:
        pick_each(16, p->outside, pick, n, from, to);
    }
}

static void pick_chunk(void *context, int64_t chunk, int thread)
{
    const struct pick_job *j = context;
    const struct pick *p = j->p;
    const int last = p->rank - 1;
    const int64_t size = (int64_t)p->size, n = p->dims[last];
    const int64_t end = j->rows - chunk * j->per_chunk < j->per_chunk ? j->rows : (chunk + 1) * j->per_chunk;

    (void)thread;
    for (int64_t row = chunk * j->per_chunk; row < end; row++) {
        int64_t rest = row, at = 0;
        bool outside = false;

        for (int d = last - 1; d >= 0; d--) {
            const int64_t offset = p->pick[d][rest % p->dims[d]];

            outside = outside || offset < 0;
            at += offset;
            rest /= p->dims[d];
        }
        if (outside)
            fill_line(p->size, n, p->outside, j->to + row * n * size, size);
        else
            pick_line(p, p->pick[last], n, j->from + at * size, j->to + row * n * size);
    }
}

void move_pick(struct pool *pool, const struct pick *p, const void *from, void *to)
{
    struct pick_job j = { .p = p, .from = from, .to = to, .rows = 1 };
    int64_t row_bytes;

    if (!p->rank) {
        memcpy(to, from, p->size);
        return;
    }
    for (int d = 0; d < p->rank; d++)
        if (!p->dims[d])
            return;
    for (int d = 0; d < p->rank - 1; d++)
        j.rows *= p->dims[d];
    row_bytes = p->dims[p->rank - 1] * (int64_t)p->size;
    j.per_chunk = CHUNK_BYTES / row_bytes ? CHUNK_BYTES / row_bytes : 1;
    pool_run(pool, (j.rows + j.per_chunk - 1) / j.per_chunk, pick_chunk, &j);
}

/* -- for planning and gradients -- */

void ints_of(const struct tensor *t, struct ints *out)
{
    out->count = t ? (int)tensor_count(t) : 0;
    for (int k = 0; k < out->count; k++)
        out->v[k] = t->dtype == I64 ? ((const int64_t *)t->data)[k] : ((const int32_t *)t->data)[k];
}

const char *ints_text(char buffer[INTS_TEXT], const char *name, int count, const int64_t *v)
{
    int n = snprintf(buffer, INTS_TEXT, "%s=[", name);

    for (int k = 0; k < count; k++)
        n += snprintf(buffer + n, (size_t)(INTS_TEXT - n), "%s%lld", k ? "," : "", (long long)v[k]);
    snprintf(buffer + n, (size_t)(INTS_TEXT - n), "]");
    return buffer;
}

struct value *emit_transposed(struct emitter *e, struct value *v, int rank, const int64_t *perm)
{
    char text[INTS_TEXT];

    return rank > 1 ? emit(e, "Transpose", ints_text(text, "perm", rank, perm), 1, v) : v;
}

struct value *emit_zeros(struct emitter *e, enum dtype dtype, int rank, const int64_t *dims)
{
    return emit(e, "Expand", "", 2, emit_scalar(e, dtype, 0), emit_ints(e, rank, dims));
}
