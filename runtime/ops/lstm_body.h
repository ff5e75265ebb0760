/* The arithmetic of LSTM for one type of computation. Included with REAL (float, double) and NAME(x). All that it sees
 * is in the order of layout 0; one direction at a time. `kept` of a step and a sequence are i, o, f, c~ (after their
 * activations), C and H: 6 x hidden. */
#include "ops/recurrent_body.h"

struct NAME(lstm_direction) {
    const struct lstm *a;
    const struct activation *act; /* f, g, h */
    int64_t steps, batch, hidden;
    bool reverse;
    const int32_t *lengths;
    const REAL *peephole; /* i, o, f; NULL for none */
    REAL *kept;           /* [steps, batch, 6 hidden]; of one step only, where nobody reads it later */
    REAL *rounded;        /* scratch [batch, hidden], where h is rounded before the product with R; NULL: it is not */
    bool keep;
};

/* One step of one sequence: z holds what came in through W, R and B. */
static void NAME(cell)(const struct NAME(lstm_direction) * d, const REAL *z, const REAL *c_before, REAL *kept)
{
    const int64_t n = d->hidden;
    const REAL *p = d->peephole;

    for (int64_t k = 0; k < n; k++) {
        const REAL c0 = c_before[k];
        const REAL i = NAME(gate)(&d->a->r, &d->act[0], z[k] + (p ? p[k] * c0 : 0));
        const REAL f =
            d->a->input_forget ? 1 - i : NAME(gate)(&d->a->r, &d->act[0], z[2 * n + k] + (p ? p[2 * n + k] * c0 : 0));
        const REAL g = NAME(gate)(&d->a->r, &d->act[1], z[3 * n + k]);
        const REAL c = f * c0 + i * g;
        const REAL o = NAME(gate)(&d->a->r, &d->act[0], z[n + k] + (p ? p[n + k] * c : 0));

        kept[k] = i;
        kept[n + k] = o;
        kept[2 * n + k] = f;
        kept[3 * n + k] = g;
        kept[4 * n + k] = c;
        kept[5 * n + k] = o * NAME(gate)(&d->a->r, &d->act[2], c);
    }
}

/* n numbers rounded to 256 steps between the least and the greatest of them and 0. */
static const REAL *NAME(rounded)(const REAL *h, int64_t n, REAL *to)
{
    REAL least = 0, most = 0, scale, zero;

    for (int64_t k = 0; k < n; k++) {
        least = h[k] < least ? h[k] : least;
        most = h[k] > most ? h[k] : most;
    }
    scale = least == most ? 1 : (most - least) / 255;
    zero = (REAL)rint((double)(-least / scale));
    for (int64_t k = 0; k < n; k++) {
        const REAL v = (REAL)rint((double)(h[k] / scale)) + zero;

        to[k] = ((v < 0 ? 0 : v > 255 ? 255 : v) - zero) * scale;
    }
    return to;
}

/* All steps of a direction. `z` [steps, batch, 4 hidden] holds X W' + B; `rz` is scratch [batch, 4 hidden]; `h` and `c`
 * [batch, hidden] begin as the initial states and end as the last ones; `y` is Y of this direction or NULL. */
static void NAME(lstm_steps)(struct step *s, const struct NAME(lstm_direction) * d, const REAL *r, const REAL *z,
                             REAL *rz, REAL *h, REAL *c, REAL *y, const struct recurrent_strides *ys, struct gemm *g,
                             void *gemm_memory)
{
    const int64_t n = d->hidden, batch = d->batch;

    for (int64_t k = 0; k < d->steps && !pool_late(s->pool); k++) {
        const int64_t t = d->reverse ? d->steps - 1 - k : k;

        g->a = d->rounded ? NAME(rounded)(h, batch * n, d->rounded) : h;
        g->b = r;
        g->c = rz;
        gemm(s->k, s->pool, g, gemm_memory);
        for (int64_t b = 0; b < batch; b++) {
            REAL *kept = d->kept + ((d->keep ? t : 0) * batch + b) * 6 * n,
                 *out = y ? y + t * ys->step + b * ys->batch : NULL;
            const REAL *x = z + (t * batch + b) * 4 * n;

            if (d->lengths && t >= d->lengths[b]) { /* past the end: the states stay, Y is 0 */
                memset(kept, 0, (size_t)(6 * n) * sizeof *kept);
                if (out)
                    memset(out, 0, (size_t)n * sizeof *out);
                continue;
            }
            for (int64_t m = 0; m < 4 * n; m++)
                rz[b * 4 * n + m] += x[m];
            NAME(cell)(d, rz + b * 4 * n, c + b * n, kept);
            memcpy(c + b * n, kept + 4 * n, (size_t)n * sizeof *c);
            memcpy(h + b * n, kept + 5 * n, (size_t)n * sizeof *h);
            if (out)
                memcpy(out, kept + 5 * n, (size_t)n * sizeof *out);
        }
    }
}

/* Backwards through one cell. dh and dc are what flows into H and C; dz what flows out to the four gates; dc becomes
 * what flows to the C before. Gradients of the peepholes are added to dp. */
static void NAME(cell_back)(const struct NAME(lstm_direction) * d, const REAL *kept, const REAL *c_before,
                            const REAL *dh, REAL *dc, REAL *dz, REAL *dp)
{
    const int64_t n = d->hidden;
    const struct lstm *a = d->a;
    const REAL *p = d->peephole;

    for (int64_t k = 0; k < n; k++) {
        const REAL i = kept[k], o = kept[n + k], f = kept[2 * n + k], g = kept[3 * n + k], c = kept[4 * n + k],
                   c0 = c_before[k];
        const REAL hc = NAME(gate)(&a->r, &d->act[2], c);
        const REAL zo = dh[k] * hc * NAME(gate_slope)(&a->r, &d->act[0], o);
        const REAL flow = dc[k] + dh[k] * o * NAME(gate_slope)(&a->r, &d->act[2], hc) + (p ? zo * p[n + k] : 0);
        const REAL di = flow * (a->input_forget ? g - c0 : g);
        const REAL zi = di * NAME(gate_slope)(&a->r, &d->act[0], i);
        const REAL zf = a->input_forget ? 0 : flow * c0 * NAME(gate_slope)(&a->r, &d->act[0], f);

        dz[k] = zi;
        dz[n + k] = zo;
        dz[2 * n + k] = zf;
        dz[3 * n + k] = flow * i * NAME(gate_slope)(&a->r, &d->act[1], g);
        dc[k] = flow * f + (p ? zi * p[k] + zf * p[2 * n + k] : 0);
        if (dp) {
            dp[k] += zi * c0;
            dp[n + k] += zo * c;
            dp[2 * n + k] += zf * c0;
        }
    }
}

/* All steps, backwards. `dz` [steps, batch, 4 hidden] and `h_before` [steps, batch, hidden] are filled for the products
 * that follow; `dh`, `dc` [batch, hidden] begin as the gradients of the last states and end as those of the initial
 * ones. */
static void NAME(lstm_back)(struct step *s, const struct NAME(lstm_direction) * d, const REAL *r, const REAL *h0,
                            const REAL *c0, const REAL *dy, const struct recurrent_strides *ys, REAL *dz,
                            REAL *h_before, REAL *dh, REAL *dc, REAL *dp, REAL *from_r, struct gemm *g,
                            void *gemm_memory)
{
    const int64_t n = d->hidden, batch = d->batch, way = d->reverse ? -1 : 1;

    for (int64_t k = d->steps - 1; k >= 0 && !pool_late(s->pool); k--) {
        const int64_t t = d->reverse ? d->steps - 1 - k : k;

        for (int64_t b = 0; b < batch; b++) {
            const int64_t at = t * batch + b, before = t - way;
            const bool first = before < 0 || before >= d->steps || (d->lengths && before >= d->lengths[b]);
            const REAL *kept = d->kept + at * 6 * n, *prior = d->kept + (before * batch + b) * 6 * n;

            if (d->lengths && t >= d->lengths[b]) {
                memset(dz + at * 4 * n, 0, (size_t)(4 * n) * sizeof *dz);
                memset(h_before + at * n, 0, (size_t)n * sizeof *h_before);
                continue;
            }
            for (int64_t m = 0; dy && m < n; m++)
                dh[b * n + m] += dy[t * ys->step + b * ys->batch + m];
            memcpy(h_before + at * n, first ? h0 + b * n : prior + 5 * n, (size_t)n * sizeof *h_before);
            NAME(cell_back)(d, kept, first ? c0 + b * n : prior + 4 * n, dh + b * n, dc + b * n, dz + at * 4 * n, dp);
        }
        g->a = dz + t * batch * 4 * n; /* what flows on to H before: dz R */
        g->b = r;
        g->c = from_r;
        gemm(s->k, s->pool, g, gemm_memory);
        for (int64_t b = 0; b < batch; b++)
            if (!d->lengths || t < d->lengths[b]) {
                const bool cut = recurrent_is_cut(&d->a->r, d->reverse, d->lengths ? d->lengths[b] : d->steps, t);

                for (int64_t m = b * n; m < (b + 1) * n; m++) {
                    dh[m] = cut ? 0 : from_r[m];
                    dc[m] = cut ? 0 : dc[m];
                }
            }
    }
}

#undef REAL
#undef NAME
