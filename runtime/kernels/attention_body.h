/* Attention in one type of computation. Included with REAL (float, double), REAL_TYPE and NAME(x). */

/* Rows of one head from `from` on: where they lie, or in `to`. */
static const REAL *NAME(rows_from)(const struct attention_rows *rows, const struct place *p, int64_t from, int64_t n,
                                   int64_t width, REAL *to, int64_t *step)
{
    const int64_t at = p->batch * rows->batch + p->head * rows->head + from * rows->row;

    *step = rows->row;
    if (rows->dtype == REAL_TYPE)
        return (const REAL *)rows->data + at;
    for (int64_t i = 0; i < n; i++)
        NAME(load)(rows->dtype, rows->data, at + i * rows->row, width, to + i * width);
    *step = width;
    return to;
}

static void NAME(load_queries)(const struct work *w, const struct place *p, REAL *q)
{
    const struct attention *a = w->a;

    for (int64_t r = 0; r < p->rows; r++) {
        REAL *const row = q + r * a->size;

        NAME(load)(a->q.dtype, a->q.data, row_at(a, &a->q, p, r), a->size, row);
        for (int64_t i = 0; i < a->size; i++)
            row[i] *= (REAL)a->scale;
    }
}

/* scores = rows k', a product for each part; `k` of a->k or a->v. */
static void NAME(products)(const struct work *w, const struct place *p, const struct attention_rows *k, int64_t width,
                           const REAL *rows, REAL *memory, REAL *panel, int64_t at, int64_t end, REAL *scores)
{
    for (int part = 0; part < ATTENTION_PARTS; part++) {
        const struct span s = of_part(w->a, part, at, end);
        const int64_t column = s.from + (part ? w->a->length[0] : 0) - at;
        struct block b = { .dtype = REAL_TYPE,
                           .rows = p->rows,
                           .columns = s.to - s.from,
                           .depth = width,
                           .a = rows,
                           .a_row = width,
                           .c_row = w->cut.keys };

        if (s.from >= s.to)
            continue;
        b.b = NAME(rows_from)(&k[part], p, s.from, s.to - s.from, width, memory, &b.b_row);
        b.c = scores + column;
        block_of_rows(w->k, &b, panel);
    }
}

/* y += scores v, of the keys that may be seen. */
static void NAME(combine)(const struct work *w, const struct place *p, const struct attention_rows *v, int64_t width,
                          REAL *memory, int64_t at, int64_t end, const REAL *scores, REAL *y)
{
    for (int part = 0; part < ATTENTION_PARTS; part++) {
        const struct span s = of_part(w->a, part, greater(at, p->keys.from), lesser(end, p->keys.to));
        const int64_t column = s.from + (part ? w->a->length[0] : 0) - at;
        struct block b = { .dtype = REAL_TYPE,
                           .rows = p->rows,
                           .columns = width,
                           .depth = s.to - s.from,
                           .a_row = w->cut.keys,
                           .c = y,
                           .c_row = width,
                           .add = true };

        if (s.from >= s.to)
            continue;
        b.b = NAME(rows_from)(&v[part], p, s.from, s.to - s.from, width, memory, &b.b_row);
        b.a = scores + column;
        block_product(w->k, &b);
    }
}

static void NAME(fill)(REAL *x, int64_t n, REAL value)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = value;
}

/* What the mask says of n scores of a row, from key `at` on. */
static void NAME(mask_row)(const struct work *w, const struct place *p, int64_t r, int64_t at, int64_t n, REAL *memory,
                           REAL *row)
{
    const struct attention_mask *m = &w->a->mask;
    const int64_t first = p->batch * m->batch + head_of(w->a, p, r) * m->head + query_of(w->a, p, r) * m->query;
    const uint8_t *const mask = (const uint8_t *)m->data + first;
    const REAL *bias = (const REAL *)m->data + first;

    if (m->dtype == BOOL && m->key == 0) {
        if (!*mask)
            NAME(fill)(row, n, -INFINITY);
    } else if (m->dtype == BOOL) {
        NAME(masked)(w->k, row, mask + at, n);
    } else {
        if (m->key == 0) {
            NAME(fill)(memory, n, *bias);
            bias = memory - at;
        }
        NAME(biased)(w->k, row, bias + at, n);
    }
}

/* Scores of row r that are excluded become -infinity, the others get their bias. */
static void NAME(exclude)(const struct work *w, const struct place *p, int64_t r, int64_t at, int64_t end, REAL *memory,
                          REAL *row)
{
    const struct span s = keys_of_query(w->a, p->batch, query_of(w->a, p, r));
    const int64_t from = lesser(greater(s.from, at), end), to = lesser(greater(s.to, from), end);

    if (w->a->mask.data && from < to)
        NAME(mask_row)(w, p, r, from, to - from, memory, row + from - at);
    NAME(fill)(row, from - at, -INFINITY);
    NAME(fill)(row + to - at, end - to, -INFINITY);
}

/* Of all keys: the row of the fourth output. */
static void NAME(keep_scores)(const struct work *w, const struct place *p, int64_t r, enum attention_stage stage,
                              const REAL *row)
{
    const struct attention_rows *to = &w->a->scores;

    if (to->data && w->a->stage == stage)
        NAME(store)(to->dtype, row, w->cut.all_keys, to->data, row_at(w->a, to, p, r));
}

/* The scores of keys [at, end), excluded ones -infinity; `capped`, where it is not NULL, what they were before. */
static void NAME(score)(const struct work *w, const struct place *p, struct room *m, int64_t at, int64_t end,
                        REAL *capped)
{
    const struct attention *a = w->a;
    REAL *const scores = m->scores;

    NAME(products)(w, p, a->k, a->size, m->q, m->k, m->panel, at, end, scores);
    for (int64_t r = 0; r < p->rows; r++) {
        REAL *const row = scores + r * w->cut.keys;

        NAME(keep_scores)(w, p, r, PRODUCTS, row);
        if (a->cap > 0)
            NAME(capped)(w->k, row, end - at, (REAL)a->cap);
        NAME(keep_scores)(w, p, r, CAPPED, row);
        if (capped)
            memcpy(capped + r * w->cut.keys, row, (size_t)(end - at) * sizeof *row);
        NAME(exclude)(w, p, r, at, end, m->bias, row);
        NAME(keep_scores)(w, p, r, BIASED, row);
    }
}

/* Scores become weights, to be divided by the sum when there is all of it. A greater score than any before makes what
 * was summed smaller. */
static void NAME(weigh)(const struct work *w, const struct place *p, struct room *m, int64_t n)
{
    const int64_t width = w->a->value_size;
    REAL *const most = m->most, *const sum = m->sum;

    for (int64_t r = 0; r < p->rows; r++) {
        REAL *const row = (REAL *)m->scores + r * w->cut.keys, *const y = (REAL *)m->y + r * width;
        const REAL here = NAME(most)(w->k, row, n), top = here <= most[r] ? most[r] : here; /* NaN stays */

        if (isinf(top) && top < 0) {
            NAME(fill)(row, n, 0);
            continue;
        }
        if (top > most[r]) {
            const REAL factor = (REAL)exp((double)(most[r] - top));

            sum[r] *= factor;
            for (int64_t i = 0; i < width; i++)
                y[i] *= factor;
        }
        most[r] = top;
        sum[r] += NAME(exps)(w->k, row, n, top);
    }
}

/* What was summed, divided. */
static void NAME(finish)(const struct work *w, const struct place *p, const struct room *m)
{
    const struct attention *a = w->a;

    for (int64_t r = 0; r < p->rows; r++) {
        const REAL sum = ((const REAL *)m->sum)[r], most = ((const REAL *)m->most)[r];
        const REAL factor = sum == 0 ? 0 : 1 / sum; /* no key at all */
        REAL *const y = (REAL *)m->y + r * a->value_size;

        for (int64_t i = 0; i < a->value_size; i++)
            y[i] = sum == 0 ? 0 : y[i] * factor;
        if (a->y.data)
            NAME(store)(a->y.dtype, y, a->value_size, a->y.data, row_at(a, &a->y, p, r));
        if (a->log_sums)
            ((REAL *)a->log_sums)[sum_at(a, p, r)] = sum == 0 ? INFINITY : most + (REAL)log((double)sum);
        if (a->scores.data && a->stage == WEIGHTS) {
            REAL *const row = (REAL *)m->scores + r * w->cut.keys;

            for (int64_t i = 0; i < w->cut.all_keys; i++)
                row[i] *= factor;
            NAME(keep_scores)(w, p, r, WEIGHTS, row);
        }
    }
}

static void NAME(attend)(const struct work *w, const struct place *p, struct room *m)
{
    const struct attention *a = w->a;
    const struct span keys = a->scores.data ? (struct span){ 0, w->cut.all_keys } : p->keys;

    NAME(load_queries)(w, p, m->q);
    NAME(fill)(m->y, p->rows * a->value_size, 0);
    NAME(fill)(m->most, p->rows, -INFINITY);
    NAME(fill)(m->sum, p->rows, 0);
    for (int64_t at = keys.from, end; at < keys.to && !pool_late(w->pool); at = end) {
        end = lesser(at + w->cut.keys, keys.to);
        NAME(score)(w, p, m, at, end, NULL);
        NAME(weigh)(w, p, m, end - at);
        NAME(combine)(w, p, a->v, a->value_size, m->v, at, end, m->scores, m->y);
    }
    if (w->cut.splits == 1)
        NAME(finish)(w, p, m);
}

/* What splits have left, in their order, into the first one's place. */
static void NAME(join)(const struct work *w, const struct place *p, char *left)
{
    const int64_t width = w->a->value_size;
    struct room all, m;
    REAL *most, *sum, *y;

    put_in_left(w->a, p, left, &all);
    most = all.most;
    sum = all.sum;
    y = all.y;
    for (int64_t split = 1; split < w->cut.splits; split++) {
        put_in_left(w->a, p, left + (size_t)split * w->left_bytes, &m);
        for (int64_t r = 0; r < p->rows; r++) {
            const REAL here = ((REAL *)m.most)[r], top = here <= most[r] ? most[r] : here;
            const bool none = isinf(top) && top < 0;
            const REAL before = none ? 0 : (REAL)exp((double)(most[r] - top));
            const REAL more = none ? 0 : (REAL)exp((double)(here - top));

            for (int64_t i = 0; i < width; i++)
                y[r * width + i] = before * y[r * width + i] + more * ((REAL *)m.y)[r * width + i];
            sum[r] = before * sum[r] + more * ((REAL *)m.sum)[r];
            most[r] = top;
        }
    }
    NAME(finish)(w, p, &all);
}
