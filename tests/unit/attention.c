/* Attention against sums in double over all scores, forwards and back: tiles of whole and of few rows and keys, splits,
 * parts, masks, bounds, on every instruction set, with one thread and with three. And which keys the standard's words
 * mean. */
#include "kernels/attention.h"
#include "fixture.h"
#include "kernels/dense_block.h"
#include "numbers.h"

/* -- blocks -- */

static void check_block(const struct kernels *k, enum dtype dtype, int64_t rows, int64_t columns, int64_t depth,
                        int way)
{
    const int64_t a_row = (way == 1 ? rows : depth) + random_below(3);
    const int64_t b_row = (way == 2 ? depth : columns) + random_below(3), c_row = columns + random_below(3);
    void *const a = random_array(dtype, a_row * (way == 1 ? depth : rows)),
                *const b = random_array(dtype, b_row * (way == 2 ? columns : depth)),
                *const c = random_array(dtype, c_row * rows), *const was = random_array(dtype, c_row * rows),
                *const panel = room((size_t)(columns * depth) * dtype_size(dtype));
    const struct block p = {
        .dtype = dtype,
        .rows = rows,
        .columns = columns,
        .depth = depth,
        .a = a,
        .b = b,
        .c = c,
        .a_row = a_row,
        .b_row = b_row,
        .c_row = c_row,
        .add = random_below(2),
    };

    memcpy(was, c, (size_t)(c_row * rows) * dtype_size(dtype));
    if (way == 2)
        block_of_rows(k, &p, panel);
    else
        (way == 1 ? block_of_columns : block_product)(k, &p);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < c_row; j++) {
            double sum = p.add ? get(dtype, was, r * c_row + j) : 0;

            for (int64_t d = 0; d < depth && j < columns; d++)
                sum += get(dtype, a, way == 1 ? d * a_row + r : r * a_row + d) *
                       get(dtype, b, way == 2 ? j * b_row + d : d * b_row + j);
            if (j >= columns)
                sum = get(dtype, was, r * c_row + j); /* between the rows */
            expect_near("c", r * c_row + j, get(dtype, c, r * c_row + j), sum, rounding(dtype) * (double)(depth + 2));
        }
    free(a);
    free(b);
    free(c);
    free(was);
    free(panel);
}

START_TEST(blocks_are_products)
{
    static const int64_t sizes[] = { 0, 1, 3, 4, 8, 9, 31, 64, 70, 130 };
    const struct kernels *const k = kernels_for(_i);
    enum { SIZES = sizeof sizes / sizeof *sizes };

    for (int n = 0; k && n < ROUNDS(300); n++)
        check_block(k, random_below(4) ? F32 : F64, sizes[random_below(SIZES)], sizes[random_below(SIZES)],
                    sizes[random_below(SIZES)], n % 3);
}
END_TEST

/* -- attention -- */

struct sizes {
    int64_t batch, heads, group, queries, size, value_size, before, keys;
};

/* One of everything, in memory of its own. */
struct sample {
    struct sizes n;
    struct attention a;
    struct attention_grad g;
    void *scores, *log_sums, *mask;
    int64_t *valid;
    enum dtype dtype, key_dtype;
};

/* Heads beside rows, or rows beside heads. */
static struct attention_rows random_rows(enum dtype dtype, int64_t batch, int64_t heads, int64_t rows, int64_t size)
{
    const bool beside = random_below(2);

    return (struct attention_rows){ .data = random_array(dtype, batch * heads * rows * size),
                                    .dtype = dtype,
                                    .batch = heads * rows * size,
                                    .head = beside ? size : rows * size,
                                    .row = beside ? heads * size : size };
}

static double at(const struct attention_rows *r, int64_t batch, int64_t head, int64_t row, int64_t i)
{
    return get(r->dtype, r->data, batch * r->batch + head * r->head + row * r->row + i);
}

static struct attention_mask random_mask(const struct sizes *n, enum dtype dtype)
{
    const int64_t all = n->before + n->keys;
    struct attention_mask m = { .dtype = dtype, .keys = all - random_below(3) * random_below(2) };
    int64_t step = 1;

    if (m.keys < 1)
        m.keys = all;
    if (random_below(4)) {
        m.key = 1;
        step = m.keys;
    }
    m.query = random_below(3) ? step : 0;
    step *= m.query ? n->queries : 1;
    m.head = random_below(2) ? step : 0;
    step *= m.head ? n->heads * n->group : 1;
    m.batch = random_below(2) ? step : 0;
    step *= m.batch ? n->batch : 1;
    if (dtype == BOOL) {
        uint8_t *const of = room((size_t)step);

        for (int64_t i = 0; i < step; i++)
            of[i] = random_below(3) > 0;
        m.data = of;
    } else {
        void *const of = random_array(dtype, step);

        for (int64_t i = 0; i < step; i++)
            if (!random_below(5))
                put(dtype, of, i, (double)-INFINITY);
        m.data = of;
    }
    return m;
}

/* What is not valid is no number: nobody may read it. */
static void spoil_invalid(struct sample *s)
{
    for (int64_t b = 0; b < s->n.batch; b++)
        for (int64_t h = 0; h < s->n.heads; h++)
            for (int64_t row = s->valid[b]; row < s->n.keys; row++)
                for (int side = 0; side < 2; side++) {
                    struct attention_rows *const r = side ? &s->a.v[1] : &s->a.k[1];

                    for (int64_t i = 0; i < (side ? s->n.value_size : s->n.size); i++)
                        put(r->dtype, r->data, b * r->batch + h * r->head + row * r->row + i, (double)NAN);
                }
}

static struct sample random_sample(struct sizes n, bool wants_scores)
{
    static const enum dtype types[] = { F32, F32, F64, F16, BF16 };
    struct sample s = { .n = n, .dtype = types[random_below(5)] };
    struct attention *a = &s.a;
    const int64_t all = n.before + n.keys, heads = n.heads * n.group;

    s.key_dtype = s.dtype == F32 && !random_below(4) ? F16 : s.dtype;
    *a = (struct attention){ .compute = s.dtype == F64 || !random_below(4) ? F64 : F32,
                             .batch = n.batch,
                             .heads = n.heads,
                             .group = n.group,
                             .queries = n.queries,
                             .size = n.size,
                             .value_size = n.value_size,
                             .length = { n.before, n.keys },
                             .scale = .7,
                             .cap = random_below(3) ? 0 : .6,
                             .offset = n.before,
                             .causal = random_below(2),
                             .left = random_below(3) ? -1 : random_below(6),
                             .right = random_below(3) ? -1 : random_below(6),
                             .stage = (enum attention_stage)random_below(4) };
    a->q = random_rows(s.dtype, n.batch, heads, n.queries, n.size);
    a->y = random_rows(s.dtype, n.batch, heads, n.queries, n.value_size);
    s.g.dy = random_rows(s.dtype, n.batch, heads, n.queries, n.value_size);
    s.g.dq = random_rows(s.dtype, n.batch, heads, n.queries, n.size);
    s.g.dbias = random_rows(s.dtype, n.batch, heads, n.queries, all);
    for (int part = 0; part < ATTENTION_PARTS; part++) {
        a->k[part] = random_rows(s.key_dtype, n.batch, n.heads, a->length[part], n.size);
        a->v[part] = random_rows(s.key_dtype, n.batch, n.heads, a->length[part], n.value_size);
        s.g.dk[part] = random_rows(s.dtype, n.batch, n.heads, a->length[part], n.size);
        s.g.dv[part] = random_rows(s.dtype, n.batch, n.heads, a->length[part], n.value_size);
    }
    if (random_below(2))
        a->mask = random_mask(&n, random_below(2) ? BOOL : a->compute);
    if (wants_scores)
        a->scores = random_rows(s.dtype, n.batch, heads, n.queries, all);
    s.scores = a->scores.data;
    a->log_sums = s.log_sums = room((size_t)(n.batch * heads * n.queries) * dtype_size(a->compute));
    if (!n.before && !random_below(3)) {
        a->valid = s.valid = room((size_t)n.batch * sizeof *s.valid);
        for (int64_t b = 0; b < n.batch; b++)
            s.valid[b] = random_below(n.keys + 1);
        spoil_invalid(&s);
    }
    return s;
}

static void sample_free(struct sample *s)
{
    struct attention_rows *const all[] = { &s->a.q,     &s->a.y,     &s->g.dy,   &s->g.dq,   &s->g.dbias,
                                           &s->a.k[0],  &s->a.k[1],  &s->a.v[0], &s->a.v[1], &s->g.dk[0],
                                           &s->g.dk[1], &s->g.dv[0], &s->g.dv[1] };

    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        free(all[k]->data);
    free(s->scores);
    free(s->log_sums);
    free(s->valid);
    free((void *)(uintptr_t)s->a.mask.data);
}

/* -- in double -- */

/* Of one query: what each key comes to, in turn. */
struct row {
    double *product, *capped, *biased, *weight;
};

static double key_value(const struct attention_rows *parts, const struct sizes *n, int64_t b, int64_t h, int64_t key,
                        int64_t i)
{
    return key < n->before ? at(&parts[0], b, h, key, i) : at(&parts[1], b, h, key - n->before, i);
}

static bool may_see(const struct sample *s, int64_t b, int64_t query, int64_t key)
{
    const struct attention *a = &s->a;
    const int64_t here = (a->valid ? a->valid[b] - a->queries : a->offset) + query;

    return !(a->valid && key >= a->valid[b]) && !(a->causal && key > here) && !(a->left >= 0 && key < here - a->left) &&
           !(a->right >= 0 && key > here + a->right) && !(a->mask.data && key >= a->mask.keys);
}

static double bias_of(const struct sample *s, int64_t b, int64_t head, int64_t query, int64_t key)
{
    const struct attention_mask *m = &s->a.mask;
    const int64_t i = b * m->batch + head * m->head + query * m->query + key * m->key;

    if (!may_see(s, b, query, key))
        return (double)-INFINITY;
    if (!m->data)
        return 0;
    return m->dtype == BOOL ? ((const uint8_t *)m->data)[i] ? 0 : (double)-INFINITY : get(m->dtype, m->data, i);
}

static double row_of(const struct sample *s, int64_t b, int64_t head, int64_t query, const struct row *r)
{
    const int64_t all = s->n.before + s->n.keys, h = head / s->n.group;
    double most = (double)-INFINITY, sum = 0;

    for (int64_t key = 0; key < all; key++) {
        const double bias = bias_of(s, b, head, query, key);

        r->product[key] = 0;
        for (int64_t i = 0; i < s->n.size; i++)
            r->product[key] += s->a.scale * at(&s->a.q, b, head, query, i) * key_value(s->a.k, &s->n, b, h, key, i);
        r->capped[key] = s->a.cap > 0 ? s->a.cap * tanh(r->product[key] / s->a.cap) : r->product[key];
        r->biased[key] = bias == (double)-INFINITY ? bias : r->capped[key] + bias;
        most = fmax(most, r->biased[key]);
    }
    for (int64_t key = 0; key < all; key++)
        sum += r->weight[key] = most == (double)-INFINITY ? 0 : exp(r->biased[key] - most);
    for (int64_t key = 0; key < all; key++)
        r->weight[key] /= sum > 0 ? sum : 1;
    return sum > 0 ? most + log(sum) : (double)INFINITY;
}

static double tolerance(const struct sample *s)
{
    return s->dtype == F16 || s->dtype == BF16      ? rounding(s->dtype)
           : s->dtype == F64 && s->a.compute == F64 ? 1e-13
                                                    : 3e-6;
}

/* What a query's row must be; sums of the gradients go to `sums`: dk, dv [batch, heads, keys, size], NULL for none. */
static void check_query(const struct sample *s, int64_t b, int64_t head, int64_t query, const struct row *r,
                        double *const sums[2])
{
    const struct sizes *n = &s->n;
    const int64_t all = n->before + n->keys, h = head / n->group;
    const double within = tolerance(s), log_sum = row_of(s, b, head, query, r);
    const double *const stages[] = { r->product, r->capped, r->biased, r->weight };
    double dot = 0;

    expect_near("log sum", query, get(s->a.compute, s->log_sums, (b * n->heads * n->group + head) * n->queries + query),
                log_sum, 1e-5);
    for (int64_t i = 0; i < n->value_size; i++) {
        double y = 0;

        for (int64_t key = 0; key < all; key++)
            y += r->weight[key] > 0 ? r->weight[key] * key_value(s->a.v, n, b, h, key, i) : 0;
        expect_near("y", i, at(&s->a.y, b, head, query, i), y, within * 2);
        dot += y * at(&s->g.dy, b, head, query, i);
    }
    for (int64_t key = 0; key < all && s->scores; key++)
        expect_near("score", key, at(&s->a.scores, b, head, query, key), stages[s->a.stage][key], within * 4);
    for (int64_t key = 0; key < all && sums; key++) {
        const double p = r->weight[key], slope = s->a.cap > 0 ? 1 - pow(r->capped[key] / s->a.cap, 2) : 1;
        double g = -dot;

        for (int64_t i = 0; i < n->value_size && p > 0; i++) {
            const double dy = at(&s->g.dy, b, head, query, i);

            g += dy * key_value(s->a.v, n, b, h, key, i);
            sums[1][((b * n->heads + h) * all + key) * n->value_size + i] += p * dy;
        }
        r->product[key] = p > 0 ? p * g : 0;
        expect_near("dbias", key, at(&s->g.dbias, b, head, query, key), r->product[key], within * 4);
        r->product[key] *= p > 0 ? s->a.scale * slope : 0;
        for (int64_t i = 0; i < n->size && p > 0; i++)
            sums[0][((b * n->heads + h) * all + key) * n->size + i] += r->product[key] * at(&s->a.q, b, head, query, i);
    }
    for (int64_t i = 0; i < n->size && sums; i++) {
        double dq = 0;

        for (int64_t key = 0; key < all; key++)
            dq += r->weight[key] > 0 ? r->product[key] * key_value(s->a.k, n, b, h, key, i) : 0;
        expect_near("dq", i, at(&s->g.dq, b, head, query, i), dq, within * 8);
    }
}

static void check_sample(const struct sample *s, bool back)
{
    const struct sizes *n = &s->n;
    const int64_t all = n->before + n->keys;
    double *const values = calloc((size_t)(4 * all + 1), sizeof *values);
    const struct row r = { values, values + all, values + 2 * all, values + 3 * all };
    double *const sums[] = { calloc((size_t)(n->batch * n->heads * all * n->size + 1), sizeof **sums),
                             calloc((size_t)(n->batch * n->heads * all * n->value_size + 1), sizeof **sums) };

    for (int64_t b = 0; b < n->batch; b++)
        for (int64_t head = 0; head < n->heads * n->group; head++)
            for (int64_t query = 0; query < n->queries; query++)
                check_query(s, b, head, query, &r, back ? sums : NULL);
    for (int side = 0; side < 2 && back; side++)
        for (int64_t row = 0; row < n->batch * n->heads * all; row++)
            for (int64_t i = 0, size = side ? n->value_size : n->size; i < size; i++)
                expect_near(
                    side ? "dv" : "dk", row,
                    key_value(side ? s->g.dv : s->g.dk, n, row / all / n->heads, row / all % n->heads, row % all, i),
                    sums[side][row * size + i], tolerance(s) * (8 + (double)(n->queries * n->group) / 4));
    free(values);
    free(sums[0]);
    free(sums[1]);
}

static size_t bytes_of(const struct attention_rows *r, int64_t batch)
{
    return (size_t)(batch * r->batch) * dtype_size(r->dtype);
}

/* Forwards, then back. */
static void run(const struct kernels *k, struct pool *pool, struct sample *s, bool back)
{
    const size_t bytes = attention_scratch(&s->a, pool_threads(pool));
    void *scratch = room(bytes);

    attention(k, pool, &s->a, scratch);
    free(scratch);
    if (!back)
        return;
    s->a.scores.data = NULL;
    scratch = room(attention_grad_scratch(&s->a, pool_threads(pool)));
    attention_grad(k, pool, &s->a, &s->g, scratch);
    free(scratch);
    s->a.scores.data = s->scores;
}

static void check_one(const struct kernels *k, struct pool *three, struct sizes n, bool wants_scores, bool back)
{
    struct sample s = random_sample(n, wants_scores);
    const struct attention_rows *const results[] = { &s.a.y, &s.a.scores, &s.g.dq, &s.g.dk[1], &s.g.dv[1] };
    void *was[5];

    run(k, NULL, &s, back);
    check_sample(&s, back);
    for (int i = 0; i < 5; i++) {
        was[i] = room(bytes_of(results[i], n.batch));
        if (results[i]->data)
            memcpy(was[i], results[i]->data, bytes_of(results[i], n.batch));
    }
    run(k, three, &s, back);
    for (int i = 0; i < 5; i++) {
        if (results[i]->data)
            ck_assert_msg(!memcmp(was[i], results[i]->data, bytes_of(results[i], n.batch)), "three threads differ");
        free(was[i]);
    }
    sample_free(&s);
}

START_TEST(as_all_scores_say)
{
    const struct kernels *const k = kernels_for(_i);
    struct pool *const three = threads(3);

    for (int n = 0; k && n < ROUNDS(160); n++) {
        const struct sizes sizes = { 1 + random_below(2),
                                     1 + random_below(3),
                                     1 + random_below(3),
                                     random_below(10),
                                     random_below(19),
                                     random_below(19),
                                     random_below(2) ? random_below(9) : 0,
                                     random_below(20) };

        check_one(k, three, sizes, n % 3 == 0, n % 2);
    }
    pool_free(three);
}
END_TEST

/* More rows and keys than a tile has, and enough keys to be split. */
START_TEST(tiles_and_splits_are_joined)
{
    static const struct sizes all[] = { { 1, 1, 2, 150, 5, 4, 0, 300 },
                                        { 2, 1, 1, 131, 3, 17, 260, 259 },
                                        { 1, 2, 1, 2, 4, 3, 0, 2300 },
                                        { 1, 1, 3, 3, 3, 4, 1500, 1700 },
                                        { 1, 1, 1, 5, 2, 2, 0, 70000 } };
    const struct kernels *const k = kernels_for(_i);
    struct pool *const three = threads(3);

    for (int n = 0; k && n < 16; n++)
        check_one(k, three, all[n % 5], n % 4 == 3, n % 5 < 4);
    pool_free(three);
}
END_TEST

/* -- which keys -- */

/* Queries of 0 weigh all keys that they see alike; value k is 2^k, so that the mean tells which they are. */
static const struct {
    int opset;
    const char *attributes, *inputs, *constants; /* behind V */
    int queries, keys;
    int seen[4]; /* by query: bit k is key k */
} visible[] = {
    { 23, "", "", "", 2, 3, { 7, 7 } },
    { 23, "is_causal = 1", "", "", 3, 4, { 1, 3, 7 } },
    { 23, "is_causal = 1", ", , pk, pv", "float[1,1,2,1] pk = {0, 0}, float[1,1,2,1] pv = {16, 32}", 2, 2, { 49, 51 } },
    { 23, "", ", m", "float[3] m = {0, -inf, 0}", 1, 3, { 5 } },
    { 23, "", ", m", "bool[2,1] m = {0, 1}", 2, 3, { 0, 7 } },
    { 24, "", ", m", "bool[2,1] m = {0, 1}", 2, 3, { 0, 1 } },
    { 24, "", ", m", "float[2] m = {0, 0}", 1, 3, { 3 } },
    { 24, "is_causal = 1", ", m", "bool[1,3] m = {1, 0, 1}", 3, 3, { 1, 1, 5 } },
    { 24, "", ", , , , n", "int64[1] n = {2}", 1, 3, { 3 } },
    { 24, "is_causal = 1", ", , , , n", "int64[1] n = {3}", 2, 4, { 3, 7 } },
    { 24, "is_causal = 1", ", , , , n", "int64[1] n = {1}", 3, 4, { 0, 0, 1 } },
    { 25, "left_window_size = 1, right_window_size = 1", "", "", 4, 4, { 3, 7, 14, 12 } },
    { 25, "left_window_size = 0", "", "", 3, 4, { 15, 14, 12 } },
    { 25, "right_window_size = 0", "", "", 3, 4, { 1, 3, 7 } },
    { 25, "left_window_size = 9223372036854775807, right_window_size = 9223372036854775807", "", "", 2, 3, { 7, 7 } },
    { 25, "left_window_size = 1, is_causal = 1, right_window_size = 2", "", "", 3, 4, { 1, 3, 6 } },
    { 25, "left_window_size = 1", ", , , , n", "int64[1] n = {4}", 2, 4, { 14, 12 } },
    { 25, "left_window_size = 0", ", , pk, pv", "float[1,1,1,1] pk = {0}, float[1,1,1,1] pv = {16}", 2, 2, { 3, 2 } },
};
enum { VISIBLE = sizeof visible / sizeof *visible };

START_TEST(queries_see_the_keys_that_are_meant)
{
    const int queries = visible[_i].queries, keys = visible[_i].keys;
    const int64_t q_dims[] = { 1, 1, queries, 1 }, k_dims[] = { 1, 1, keys, 1 };
    float zeros[4] = { 0 }, values[] = { 1, 2, 4, 8 };
    char text[640];
    struct fixture f;

    snprintf(text, sizeof text,
             "<ir_version: 11, opset_import: [\"\": %d]> g (float[1,1,L,1] q, float[1,1,S,1] k, float[1,1,S,1] v) =>\n"
             "(float[1,1,M,1] y) <%s> { y = Attention%s%s%s (q, k, v%s) }",
             visible[_i].opset, visible[_i].constants, *visible[_i].attributes ? " <" : "", visible[_i].attributes,
             *visible[_i].attributes ? ">" : "", visible[_i].inputs);
    begin(&f, text);
    set(&f, "q", F32, 4, q_dims, zeros);
    set(&f, "k", F32, 4, k_dims, zeros);
    set(&f, "v", F32, 4, k_dims, values);
    run_ok(&f);
    for (int i = 0; i < queries; i++) {
        const int seen = visible[_i].seen[i], count = __builtin_popcount((unsigned)seen);

        ck_assert_msg(fabsf(floats(&f, 0, queries)[i] - (count ? (float)seen / (float)count : 0)) < 1e-4f,
                      "%s: query %d gives %g", text, i, (double)floats(&f, 0, queries)[i]);
    }
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("attention");

    add_tests(s, blocks_are_products, CPU_LEVELS);
    add_tests(s, as_all_scores_say, CPU_LEVELS);
    add_tests(s, tiles_and_splits_are_joined, CPU_LEVELS);
    add_tests(s, queries_see_the_keys_that_are_meant, VISIBLE);
    return s;
}
