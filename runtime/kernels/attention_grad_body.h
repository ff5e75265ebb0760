/* Attention, backwards, in one type of computation; behind attention_body.h. With p = exp(score - log_sum), the weights,
 * d = dy y' of each query, and g the gradient by a score with its bias:
 *
 *   dv = p' dy    g = p (dy v' - d)    by the product, where it was capped: g (1 - (score / cap)^2)
 *   dq = scale g k    dk = scale g' q */

/* dscores = p (dscores - d), then through the cap; what is wanted of them is stored. */
static void NAME(scores_back)(const struct work *w, const struct place *p, struct room *m, int64_t at, int64_t n)
{
    const struct attention_rows *to = &w->g->dbias;
    const REAL cap = (REAL)w->a->cap;

    for (int64_t r = 0; r < p->rows; r++) {
        const int64_t step = r * w->cut.keys;
        const REAL *const weight = (const REAL *)m->scores + step, d = ((const REAL *)m->sum)[r];
        const REAL *const score = (const REAL *)m->capped + step;
        REAL *const g = (REAL *)m->back + step;

        for (int64_t i = 0; i < n; i++)
            g[i] = weight[i] * (g[i] - d);
        if (to->data)
            NAME(store)(to->dtype, g, n, to->data, row_at(w->a, to, p, r) + at);
        for (int64_t i = 0; i < n && cap > 0; i++)
            g[i] *= 1 - (score[i] / cap) * (score[i] / cap);
    }
}

/* to [keys, width] += scores' rows. */
static void NAME(to_keys)(const struct work *w, const struct place *p, const REAL *scores, const REAL *rows,
                          int64_t width, int64_t at, int64_t n, REAL *to)
{
    const struct block b = { .dtype = REAL_TYPE,
                             .rows = n,
                             .columns = width,
                             .depth = p->rows,
                             .a = scores,
                             .a_row = w->cut.keys,
                             .b = rows,
                             .b_row = width,
                             .c = to + at * width,
                             .c_row = width,
                             .add = true };

    block_of_columns(w->k, &b);
}

static void NAME(tile_back)(const struct work *w, const struct place *p, struct room *m, int64_t at, int64_t end)
{
    const struct attention *a = w->a;
    const int64_t n = end - at;

    NAME(score)(w, p, m, at, end, a->cap > 0 ? m->capped : NULL);
    for (int64_t r = 0; r < p->rows; r++)
        NAME(exps)(w->k, (REAL *)m->scores + r * w->cut.keys, n, ((const REAL *)m->most)[r]);
    NAME(to_keys)(w, p, m->scores, m->dy, a->value_size, at, n, m->dv);
    NAME(products)(w, p, a->v, a->value_size, m->dy, m->v, m->panel, at, end, m->back);
    NAME(scores_back)(w, p, m, at, n);
    NAME(combine)(w, p, a->k, a->size, m->k, at, end, m->back, m->dq);
    NAME(to_keys)(w, p, m->back, m->q, a->size, at, n, m->dk);
}

/* The queries of a tile, their dy, and of each its sum (in m->most) and d (in m->sum). */
static void NAME(load_back)(const struct work *w, const struct place *p, struct room *m)
{
    const struct attention *a = w->a;
    const int64_t n = a->value_size;

    NAME(load_queries)(w, p, m->q);
    NAME(fill)(m->dq, p->rows * a->size, 0);
    for (int64_t r = 0; r < p->rows; r++) {
        REAL *const y = (REAL *)m->y + r * n, *const dy = (REAL *)m->dy + r * n, d = 0;

        NAME(load)(a->y.dtype, a->y.data, row_at(a, &a->y, p, r), n, y);
        NAME(load)(w->g->dy.dtype, w->g->dy.data, row_at(a, &w->g->dy, p, r), n, dy);
        for (int64_t i = 0; i < n; i++)
            d += y[i] * dy[i];
        ((REAL *)m->sum)[r] = d;
        ((REAL *)m->most)[r] = ((const REAL *)a->log_sums)[sum_at(a, p, r)];
    }
}

static void NAME(rows_back)(const struct work *w, const struct place *p, struct room *m)
{
    const struct attention *a = w->a;
    const struct attention_rows *dq = &w->g->dq, *dbias = &w->g->dbias;

    NAME(load_back)(w, p, m);
    NAME(fill)(m->bias, w->cut.keys, 0);
    for (int64_t r = 0; r < p->rows && dbias->data; r++) /* of keys that are not met */
        for (int64_t at = 0; at < w->cut.all_keys; at += w->cut.keys)
            NAME(store)
    (dbias->dtype, m->bias, lesser(w->cut.keys, w->cut.all_keys - at), dbias->data, row_at(a, dbias, p, r) + at);
    for (int64_t at = p->keys.from, end; at < p->keys.to && !pool_late(w->pool); at = end) {
        end = lesser(at + w->cut.keys, p->keys.to);
        NAME(tile_back)(w, p, m, at, end);
    }
    for (int64_t r = 0; r < p->rows && dq->data; r++) {
        REAL *const row = (REAL *)m->dq + r * a->size;

        for (int64_t i = 0; i < a->size; i++)
            row[i] *= (REAL)a->scale;
        NAME(store)(dq->dtype, row, a->size, dq->data, row_at(a, dq, p, r));
    }
}

/* The gradients of a head's keys or values, [keys, width], to both parts. */
static void NAME(store_keys)(const struct work *w, const struct place *p, const struct attention_rows *to,
                             int64_t width, const REAL *from)
{
    for (int part = 0; part < ATTENTION_PARTS; from += w->a->length[part++] * width)
        for (int64_t i = 0; i < w->a->length[part] && to[part].data; i++)
            NAME(store)
    (to[part].dtype, from + i * width, width, to[part].data,
     p->batch * to[part].batch + p->head * to[part].head + i * to[part].row);
}

static void NAME(go_back)(const struct work *w, int64_t batch, int64_t head, struct room *m)
{
    const struct attention *a = w->a;
    struct place p = { batch, head, 0, 0, { 0, 0 } };

    NAME(fill)(m->dk, w->cut.all_keys * a->size, 0);
    NAME(fill)(m->dv, w->cut.all_keys * a->value_size, 0);
    for (int64_t block = 0; block < w->cut.blocks; block++) {
        p = place_of(a, &w->cut, batch, head, block);
        NAME(rows_back)(w, &p, m);
    }
    NAME(store_keys)(w, &p, w->g->dk, a->size, m->dk);
    NAME(store_keys)(w, &p, w->g->dv, a->value_size, m->dv);
}
