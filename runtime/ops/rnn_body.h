/* The arithmetic of RNN for one type of computation. Included with REAL (float, double) and NAME(x). All that it sees is
 * in the order of layout 0; one direction at a time. */
#include "ops/recurrent_body.h"

static void NAME(put)(REAL *to, const REAL *from, int64_t n)
{
    if (to && from)
        memcpy(to, from, (size_t)n * sizeof *to);
    else if (to)
        memset(to, 0, (size_t)n * sizeof *to);
}

/* All steps of a direction. `x` [steps, batch, hidden] holds X W' and the biases; `h` [batch, hidden] begins as the
 * initial state and ends as the last one; `y` is Y of this direction or NULL. */
static void NAME(rnn_steps)(struct step *s, const struct rnn_run *u, const REAL *x, REAL *h, REAL *y)
{
    const struct recurrent_strides ys = recurrent_strides(u->p);
    const int64_t n = u->p->hidden, batch = u->p->batch;
    struct gemm g = recurrent_product(u->p, batch, n, n, false);
    REAL *const from_h = u->through_r, *const kept = u->kept;

    g.a = h;
    g.b = u->r;
    g.c = from_h;
    for (int64_t k = 0; k < u->p->steps && !pool_late(s->pool); k++) {
        const int64_t t = u->reverse ? u->p->steps - 1 - k : k;

        gemm(s->k, s->pool, &g, u->gemm);
        for (int64_t b = 0; b < batch; b++) {
            const int64_t at = (t * batch + b) * n;
            const bool ended = rnn_ended(u, t, b); /* the state stays, Y is 0 */

            for (int64_t m = 0; m < n && !ended; m++)
                h[b * n + m] = NAME(gate)(u->p->r, u->act, x[at + m] + from_h[b * n + m]);
            NAME(put)(y ? y + t * ys.step + b * ys.batch : NULL, ended ? NULL : h + b * n, n);
            NAME(put)(kept ? kept + at : NULL, ended ? NULL : h + b * n, n);
        }
    }
}

/* One step of one sequence, backwards: dh is what flows into H from the step behind it. */
static void NAME(cell_back)(const struct rnn_run *u, const REAL *h, const REAL *dy, const REAL *dh, REAL *dz)
{
    for (int64_t m = 0; m < u->p->hidden; m++)
        dz[m] = (dh[m] + (dy ? dy[m] : 0)) * NAME(gate_slope)(u->p->r, u->act, h[m]);
}

/* All steps, backwards. `dz` and `h_before` [steps, batch, hidden] are filled for the products that follow; `dh` [batch,
 * hidden] begins as the gradient of the last state and ends as that of the initial one. */
static void NAME(rnn_back)(struct step *s, const struct rnn_run *u, const REAL *h0, const REAL *dy, REAL *dz,
                           REAL *h_before, REAL *dh)
{
    const struct recurrent_strides ys = recurrent_strides(u->p);
    const int64_t n = u->p->hidden, batch = u->p->batch, steps = u->p->steps, way = u->reverse ? -1 : 1;
    const REAL *const kept = u->kept, *const to_h = u->through_r;
    struct gemm g = recurrent_product(u->p, batch, n, n, true);

    g.b = u->r;
    g.c = u->through_r;
    for (int64_t k = steps - 1; k >= 0 && !pool_late(s->pool); k--) {
        const int64_t t = u->reverse ? steps - 1 - k : k, before = t - way;

        for (int64_t b = 0; b < batch; b++) {
            const int64_t at = (t * batch + b) * n;
            const bool ended = rnn_ended(u, t, b);
            const bool first = before < 0 || before >= steps || rnn_ended(u, before, b);

            NAME(put)(h_before + at, ended ? NULL : first ? h0 + b * n : kept + (before * batch + b) * n, n);
            if (ended)
                NAME(put)(dz + at, NULL, n);
            else
                NAME(cell_back)(u, kept + at, dy ? dy + t * ys.step + b * ys.batch : NULL, dh + b * n, dz + at);
        }
        g.a = dz + t * batch * n;
        gemm(s->k, s->pool, &g, u->gemm);
        for (int64_t b = 0; b < batch; b++)
            if (!rnn_ended(u, t, b))
                NAME(put)(dh + b * n, rnn_is_cut(u, t, b) ? NULL : to_h + b * n, n);
    }
}

#undef REAL
#undef NAME
