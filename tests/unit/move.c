/* The engine that moves elements, against a loop that takes one after the other. */
#include "ops/move.h"
#include "base/mt19937.h"
#include "kernels/kernels.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static struct mt numbers;

static int64_t below(int64_t n)
{
    return (int64_t)(mt_u32(&numbers) % (uint32_t)n);
}

static char *bytes(int64_t n)
{
    char *p = malloc((size_t)n + 1);

    ck_assert_ptr_nonnull(p);
    for (int64_t k = 0; k < n; k++)
        p[k] = (char)below(256);
    return p;
}

/* Every index, counted through. */
static void move_slowly(const struct move *m, const char *from, char *to)
{
    const int64_t size = (int64_t)m->size;
    int64_t index[MOVE_RANK] = { 0 }, count = 1;

    for (int d = 0; d < m->rank; d++)
        count *= m->dims[d];
    for (int64_t k = 0; k < count; k++) {
        int64_t in = 0, out = 0;

        for (int d = 0; d < m->rank; d++) {
            in += index[d] * m->in[d];
            out += index[d] * m->out[d];
        }
        memcpy(to + out * size, from + in * size, m->size);
        for (int d = m->rank - 1; d >= 0 && ++index[d] == m->dims[d]; d--)
            index[d] = 0;
    }
}

/* A box in a larger tensor on one side, its dimensions in another order on the other; some broadcast, some
 * backwards. */
static void random_move(struct move *m, int64_t *first, int64_t *from_count, int64_t *to_count)
{
    int64_t stride = 1, from_stride[MAX_RANK];
    int order[MAX_RANK];

    *m = (struct move){ .size = (size_t)1 << below(5), .rank = (int)below(6) };
    *first = 0;
    for (int d = 0; d < m->rank; d++) {
        m->dims[d] = below(8) ? 1 + below(m->rank > 3 ? 6 : 40) : 0;
        order[d] = d;
    }
    for (int d = m->rank - 1; d > 0; d--) {
        const int64_t other = below(d + 1);
        const int swap = order[d];

        order[d] = order[other];
        order[other] = swap;
    }
    for (int k = m->rank - 1; k >= 0; k--) {
        const int d = order[k];

        from_stride[d] = stride;
        m->in[d] = stride;
        stride *= m->dims[d] + below(3) / 2;
        if (!below(6))
            m->in[d] = 0;
        else if (!below(6) && m->dims[d]) {
            *first += (m->dims[d] - 1) * from_stride[d];
            m->in[d] = -from_stride[d];
        }
    }
    *from_count = stride + 1;
    stride = 1;
    for (int d = m->rank - 1; d >= 0; d--) {
        m->out[d] = stride;
        stride *= m->dims[d] + below(3) / 2;
    }
    *to_count = stride;
}

START_TEST(every_element_arrives)
{
    struct move m;
    int64_t first, from_count, to_count;

    mt_seed(&numbers, (uint32_t)_i);
    for (int round = 0; round < ROUNDS(400); round++) {
        const int64_t odd = below(2); /* elements of any alignment */
        char *from, *to, *want;

        random_move(&m, &first, &from_count, &to_count);
        from = bytes(from_count * (int64_t)m.size + odd);
        to = bytes(to_count * (int64_t)m.size + odd);
        want = malloc((size_t)to_count * m.size + 2);
        ck_assert_ptr_nonnull(want);
        memcpy(want, to, (size_t)to_count * m.size + (size_t)odd);
        move_slowly(&m, from + odd + first * (int64_t)m.size, want + odd);
        move_run(kernels_get(), NULL, &m, from + odd + first * (int64_t)m.size, to + odd);
        ck_assert_msg(memcmp(to, want, (size_t)to_count * m.size + (size_t)odd) == 0,
                      "round %d of %d: size %zu, rank %d", round, _i, m.size, m.rank);
        free(from);
        free(to);
        free(want);
    }
}
END_TEST

/* Large enough to be cut into many chunks, by a pool too. */
START_TEST(large_moves_are_cut)
{
    struct budget budget = { 0 };
    struct report report = { 0 };
    struct pool *pool = pool_new(3, &budget, &report);
    struct move m = {
        .size = (size_t)1 << _i, .rank = 3, .dims = { 3, 301, 517 }, .in = { 155617, 1, 301 }, .out = { 155617, 517, 1 }
    };
    const size_t n = (size_t)3 * 301 * 517 * m.size;
    char *from = bytes((int64_t)n), *to = bytes((int64_t)n), *want = malloc(n), value[16], *filled = bytes((int64_t)n);

    ck_assert(pool && want);
    move_slowly(&m, from, want);
    move_run(kernels_get(), pool, &m, from, to);
    ck_assert(memcmp(to, want, n) == 0);
    memcpy(m.in, m.out, sizeof m.in);
    move_run(kernels_get(), pool, &m, from, to);
    ck_assert(memcmp(to, from, n) == 0);
    memcpy(value, from, m.size);
    move_fill(pool, m.size, value, (int64_t)(n / m.size), filled);
    for (size_t k = 0; k < n; k += m.size)
        ck_assert(memcmp(filled + k, value, m.size) == 0);
    free(from);
    free(to);
    free(want);
    free(filled);
    pool_free(pool);
}
END_TEST

START_TEST(picked_elements)
{
    const int64_t rows[] = { 6, -1, 0, 6 }, columns[] = { 2, 0, -1, 1, 2 };
    const size_t size = (size_t)1 << _i;
    struct pick p = { .size = size, .rank = 2, .dims = { 4, 5 }, .pick = { rows, columns } };
    char *from, *to, outside[16];

    mt_seed(&numbers, 1);
    from = bytes(9 * (int64_t)size);
    to = bytes(20 * (int64_t)size);
    memset(outside, 'x', sizeof outside);
    p.outside = outside;
    move_pick(NULL, &p, from, to);
    for (int r = 0; r < 4; r++)
        for (int c = 0; c < 5; c++)
            ck_assert(memcmp(to + (size_t)(5 * r + c) * size,
                             rows[r] < 0 || columns[c] < 0 ? outside : from + (size_t)(rows[r] + columns[c]) * size,
                             size) == 0);
    free(from);
    free(to);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("move");

    add_tests(s, every_element_arrives, 5);
    add_tests(s, large_moves_are_cut, 5);
    add_tests(s, picked_elements, 5);
    return s;
}
