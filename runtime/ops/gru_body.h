/* The arithmetic of GRU for one type of computation. Included with REAL (float, double) and NAME(x). All that it sees
 * is in the order of layout 0; one direction at a time. `kept` of a step and a sequence are z, r, h~ (after their
 * activations), H, and what r and the recurrent weights of h~ meet in: r H, or H Rh' + Rbh where the product comes
 * before the reset: 5 x hidden. */
#include "ops/recurrent_body.h"

struct NAME(gru_direction) {
    const struct gru *a;
    const struct activation *act; /* f, g */
    int64_t steps, batch, hidden;
    bool reverse;
    const int32_t *lengths;
    const REAL *r;      /* [3 hidden, hidden] */
    const REAL *bias_h; /* Rbh, where it is not in `x` already; NULL for none */
    REAL *kept;         /* [steps, batch, 5 hidden]; of one step only, where nobody reads it later */
    bool keep;
};

/* Memory of one step. */
struct NAME(gru_step) {
    REAL *from_h; /* [batch, 3 hidden]: what comes in through R */
    REAL *reset;  /* [batch, hidden]: r H */
    void *gemm;
};

static bool NAME(ended)(const struct NAME(gru_direction) * d, int64_t t, int64_t b)
{
    return d->lengths && t >= d->lengths[b];
}

/* The gates z and r of one sequence, of what comes in through W and R. */
static void NAME(gates)(const struct NAME(gru_direction) * d, const REAL *x, const REAL *from_h, REAL *kept)
{
    for (int64_t k = 0; k < 2 * d->hidden; k++)
        kept[k] = NAME(gate)(&d->a->r, &d->act[0], x[k] + from_h[k]);
}

/* H of one sequence, where it is kept: `inner` is what comes in to h~ through R, and has not been reset yet where
 * linear_before_reset. */
static const REAL *NAME(cell)(const struct NAME(gru_direction) * d, const REAL *x, const REAL *inner,
                              const REAL *h_before, REAL *kept)
{
    const int64_t n = d->hidden;

    for (int64_t k = 0; k < n; k++) {
        const REAL z = kept[k], from_h = d->a->linear_before_reset ? kept[n + k] * inner[k] : inner[k];
        const REAL h = NAME(gate)(&d->a->r, &d->act[1], x[2 * n + k] + from_h);

        kept[2 * n + k] = h;
        kept[3 * n + k] = (1 - z) * h + z * h_before[k];
    }
    return kept + 3 * n;
}

/* What comes in to h~ through R before the reset, and is kept for the gradient. */
static void NAME(inner_before)(const struct NAME(gru_direction) * d, const REAL *from_h, REAL *kept)
{
    const int64_t n = d->hidden;

    for (int64_t k = 0; k < n; k++)
        kept[4 * n + k] = from_h[2 * n + k] + (d->bias_h ? d->bias_h[k] : 0);
}

/* r H, kept for the gradient as well. */
static void NAME(reset)(const struct NAME(gru_direction) * d, const REAL *h, REAL *kept, REAL *reset)
{
    const int64_t n = d->hidden;

    for (int64_t k = 0; k < n; k++)
        reset[k] = kept[4 * n + k] = kept[n + k] * h[k];
}

/* Ends step t: the states, and Y. */
static void NAME(cells)(const struct NAME(gru_direction) * d, const struct recurrent_plan *p, int64_t t, const REAL *x,
                        const REAL *from_h, REAL *kept, REAL *h, REAL *y)
{
    const struct recurrent_strides ys = recurrent_strides(p);
    const int64_t n = d->hidden;
    const size_t state = (size_t)n * sizeof *h;

    for (int64_t b = 0; b < d->batch; b++, kept += 5 * n, h += n) {
        const REAL *const inner = d->a->linear_before_reset ? kept + 4 * n : from_h + b * 3 * n + 2 * n;

        if (NAME(ended)(d, t, b)) /* the state stays, Y is 0 */
            memset(kept, 0, 5 * state);
        else
            memcpy(h, NAME(cell)(d, x + b * 3 * n, inner, h, kept), state);
        if (y)
            memcpy(y + t * ys.step + b * ys.batch, kept + 3 * n, state);
    }
}

/* All steps of a direction. `x` [steps, batch, 3 hidden] holds X W' and the biases; `h` [batch, hidden] begins as the
 * initial state and ends as the last one; `y` is Y of this direction or NULL. */
static void NAME(gru_steps)(struct step *s, const struct NAME(gru_direction) * d, const struct recurrent_plan *p,
                            const REAL *x, REAL *h, REAL *y, const struct NAME(gru_step) * m)
{
    const int64_t n = d->hidden, batch = d->batch;
    const bool before = d->a->linear_before_reset;
    struct gemm all = gru_from_h(p, before ? 3 : 2), last = gru_from_h(p, 1);

    all.a = h;
    all.b = d->r;
    all.c = m->from_h;
    last.a = m->reset;
    last.b = d->r + 2 * n * n;
    last.c = m->from_h + 2 * n;
    for (int64_t k = 0; k < d->steps && !pool_late(s->pool); k++) {
        const int64_t t = d->reverse ? d->steps - 1 - k : k;
        const REAL *const x_of_t = x + t * batch * 3 * n;
        REAL *const kept = d->kept + (d->keep ? t : 0) * batch * 5 * n;

        gemm(s->k, s->pool, &all, m->gemm);
        for (int64_t b = 0; b < batch; b++) {
            NAME(gates)(d, x_of_t + b * 3 * n, m->from_h + b * 3 * n, kept + b * 5 * n);
            if (before)
                NAME(inner_before)(d, m->from_h + b * 3 * n, kept + b * 5 * n);
            else
                NAME(reset)(d, h + b * n, kept + b * 5 * n, m->reset + b * n);
        }
        if (!before)
            gemm(s->k, s->pool, &last, m->gemm);
        NAME(cells)(d, p, t, x_of_t, m->from_h, kept, h, y);
    }
}

/* -- backwards -- */

/* Memory of the way back: what is filled for the products that follow it, and what lasts for one step. */
struct NAME(gru_back) {
    REAL *dx;       /* [steps, batch, 3 hidden]: of what goes into the gates */
    REAL *inner;    /* [steps, batch, hidden]: r H, or of H Rh' + Rbh where that comes before the reset */
    REAL *h_before; /* [steps, batch, hidden] */
    REAL *dh;       /* [batch, hidden]: begins as the gradient of the last state, ends as that of the initial one */
    REAL *from_zr, *from_h; /* [batch, hidden]: what flows to H before through R */
    void *gemm;
};

/* Through the cell of one sequence, as far as that goes without a product: dh becomes what flows to H before past the
 * gates. */
static void NAME(cell_back)(const struct NAME(gru_direction) * d, const REAL *kept, const REAL *h_before, REAL *dh,
                            REAL *dx, REAL *inner)
{
    const struct recurrent *const a = &d->a->r;
    const int64_t n = d->hidden;

    for (int64_t k = 0; k < n; k++) {
        const REAL z = kept[k], r = kept[n + k], h = kept[2 * n + k];
        const REAL d_h = dh[k] * (1 - z) * NAME(gate_slope)(a, &d->act[1], h);

        dx[k] = dh[k] * (h_before[k] - h) * NAME(gate_slope)(a, &d->act[0], z);
        dx[2 * n + k] = d_h;
        if (d->a->linear_before_reset) {
            dx[n + k] = d_h * kept[4 * n + k] * NAME(gate_slope)(a, &d->act[0], r);
            inner[k] = d_h * r;
        } else {
            inner[k] = kept[4 * n + k];
        }
        dh[k] *= z;
    }
}

/* The gate r where H is reset before the product: `from_h` is the gradient of r H, and becomes that of H. */
static void NAME(reset_back)(const struct NAME(gru_direction) * d, const REAL *kept, const REAL *h_before, REAL *from_h,
                             REAL *dx)
{
    const int64_t n = d->hidden;

    for (int64_t k = 0; k < n; k++) {
        const REAL r = kept[n + k];

        dx[n + k] = from_h[k] * h_before[k] * NAME(gate_slope)(&d->a->r, &d->act[0], r);
        from_h[k] *= r;
    }
}

/* The cells of step t, and what they are made of. */
static void NAME(cells_back)(const struct NAME(gru_direction) * d, const struct recurrent_plan *p,
                             const struct NAME(gru_back) * m, const REAL *h0, const REAL *dy, int64_t t)
{
    const struct recurrent_strides ys = recurrent_strides(p);
    const int64_t n = d->hidden, batch = d->batch, before = t - (d->reverse ? -1 : 1);

    for (int64_t b = 0; b < batch; b++) {
        const int64_t at = t * batch + b;
        const bool first = before < 0 || before >= d->steps || NAME(ended)(d, before, b);
        const REAL *const kept = d->kept + at * 5 * n;
        REAL *const dh = m->dh + b * n, *const h_before = m->h_before + at * n;

        if (NAME(ended)(d, t, b)) {
            memset(m->dx + at * 3 * n, 0, (size_t)(3 * n) * sizeof *m->dx);
            memset(m->inner + at * n, 0, (size_t)n * sizeof *m->inner);
            memset(h_before, 0, (size_t)n * sizeof *h_before);
            continue;
        }
        for (int64_t k = 0; dy && k < n; k++)
            dh[k] += dy[t * ys.step + b * ys.batch + k];
        memcpy(h_before, first ? h0 + b * n : d->kept + (before * batch + b) * 5 * n + 3 * n,
               (size_t)n * sizeof *h_before);
        NAME(cell_back)(d, kept, h_before, dh, m->dx + at * 3 * n, m->inner + at * n);
    }
}

/* All steps, backwards. */
static void NAME(gru_back_all)(struct step *s, const struct NAME(gru_direction) * d, const struct recurrent_plan *p,
                               const struct NAME(gru_back) * m, const REAL *h0, const REAL *dy)
{
    const int64_t n = d->hidden, batch = d->batch;
    const bool before = d->a->linear_before_reset;
    struct gemm zr = gru_to_h(p, 2, p->wide), last = gru_to_h(p, 1, before ? n : p->wide);

    zr.b = d->r;
    zr.c = m->from_zr;
    last.b = d->r + 2 * n * n;
    last.c = m->from_h;
    for (int64_t k = d->steps - 1; k >= 0 && !pool_late(s->pool); k--) {
        const int64_t t = d->reverse ? d->steps - 1 - k : k;

        NAME(cells_back)(d, p, m, h0, dy, t);
        last.a = before ? m->inner + t * batch * n : m->dx + t * batch * 3 * n + 2 * n;
        gemm(s->k, s->pool, &last, m->gemm);
        for (int64_t b = 0; b < batch && !before; b++) {
            const int64_t at = t * batch + b;

            if (NAME(ended)(d, t, b))
                continue;
            NAME(reset_back)(d, d->kept + at * 5 * n, m->h_before + at * n, m->from_h + b * n, m->dx + at * 3 * n);
        }
        zr.a = m->dx + t * batch * 3 * n;
        gemm(s->k, s->pool, &zr, m->gemm);
        for (int64_t b = 0; b < batch; b++) {
            const bool cut = recurrent_is_cut(&d->a->r, d->reverse, d->lengths ? d->lengths[b] : d->steps, t);

            for (int64_t e = b * n; e < (b + 1) * n && !NAME(ended)(d, t, b); e++)
                m->dh[e] = cut ? 0 : m->dh[e] + m->from_zr[e] + m->from_h[e];
        }
    }
}

#undef REAL
#undef NAME
