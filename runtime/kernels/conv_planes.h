/* Chunks of conv_direct.c for one type: REAL, with AXPY and DOT over rows. Included once for each type. */

/* One plane of y. */
static void FORWARD(void *context, int64_t plane, int thread)
{
    const struct direct *p = context;
    const struct grid *g = &p->g;
    const int64_t image = plane / p->all_out, out = plane % p->all_out, group = out / p->out_channels;
    const struct grid_dim *const last = &g->dim[g->rank - 1];
    const int64_t in_row = last->pixels;
    REAL *const y = (REAL *)p->result + image * g->target_image + out * g->target_channel;
    const REAL b = p->bias ? ((const REAL *)p->bias)[out] : 0;

    (void)thread;
    for (int64_t pixel = 0; pixel < g->pixels; pixel += in_row) {
        const struct grid_walk row = grid_walk_at(g, pixel);

        for (int64_t i = 0; i < in_row; i++)
            y[pixel + i] = b;
        for (int64_t c = 0; c < p->channels; c++) {
            const REAL *const x =
                (const REAL *)p->x + image * g->source_image + (group * p->channels + c) * g->source_channel;
            const REAL *w = (const REAL *)p->w + (out * p->channels + c) * g->taps;
            int64_t t[MAX_RANK] = { 0 };
            struct grid_meeting m;
            int64_t from, to;

            do {
                const bool meets = grid_meet(g, &row, t, &m);

                for (int64_t tap = 0; tap < last->taps; tap++, w++)
                    if (meets && !(in_row > GRID_LONG && pool_late(p->pool))) {
                        grid_clip(g, &row, tap, in_row, &from, &to);
                        AXPY(p->k, *w, x + m.source + tap * last->base_step + from * last->step, last->step,
                             y + m.target + from, 1, to - from);
                    }
            } while (grid_next_rows(g, t) && !pool_late(p->pool));
        }
        if (p->relu)
            for (int64_t i = 0; i < in_row; i++)
                y[pixel + i] = y[pixel + i] < 0 ? 0 : y[pixel + i];
    }
}

/* One plane of dx: every pixel of dy adds to what it saw. */
static void DX(void *context, int64_t plane, int thread)
{
    const struct direct *p = context;
    const struct grid *g = &p->g;
    const int64_t image = plane / p->in_channels, in = plane % p->in_channels, group = in / p->channels;
    const struct grid_dim *const last = &g->dim[g->rank - 1];
    const int64_t in_row = last->pixels;
    REAL *const dx = (REAL *)p->result + image * g->source_image + in * g->source_channel;
    const REAL b = p->bias ? ((const REAL *)p->bias)[in] : 0;

    (void)thread;
    for (int64_t i = 0; i < g->source_channel; i++)
        dx[i] = b;
    for (int64_t o = group * p->out_channels; o < (group + 1) * p->out_channels; o++) {
        const REAL *const dy = (const REAL *)p->dy + image * g->target_image + o * g->target_channel;

        for (int64_t pixel = 0; pixel < g->pixels; pixel += in_row) {
            const struct grid_walk row = grid_walk_at(g, pixel);
            const REAL *w = (const REAL *)p->w + (o * p->channels + in % p->channels) * g->taps;
            int64_t t[MAX_RANK] = { 0 };
            struct grid_meeting m;
            int64_t from, to;

            do {
                const bool meets = grid_meet(g, &row, t, &m);

                for (int64_t tap = 0; tap < last->taps; tap++, w++)
                    if (meets && !(in_row > GRID_LONG && pool_late(p->pool))) {
                        grid_clip(g, &row, tap, in_row, &from, &to);
                        AXPY(p->k, *w, dy + m.target + from, 1,
                             dx + m.source + tap * last->base_step + from * last->step, last->step, to - from);
                    }
            } while (grid_next_rows(g, t) && !pool_late(p->pool));
        }
    }
}

/* The kernel that connects one channel of x with one of y. */
static void DW(void *context, int64_t pair, int thread)
{
    const struct direct *p = context;
    const struct grid *g = &p->g;
    const int64_t out = pair / p->channels, in = out / p->out_channels * p->channels + pair % p->channels;
    const struct grid_dim *const last = &g->dim[g->rank - 1];
    const int64_t in_row = last->pixels;
    REAL *dw = (REAL *)p->result + pair * g->taps;
    int64_t t[MAX_RANK] = { 0 };

    (void)thread;
    if (g->taps == 0)
        return;
    do {
        double s = 0;

        for (int64_t image = 0; image < g->batch; image++) {
            const REAL *const x = (const REAL *)p->x + image * g->source_image + in * g->source_channel;
            const REAL *const dy = (const REAL *)p->dy + image * g->target_image + out * g->target_channel;

            for (int64_t pixel = 0; pixel < g->pixels; pixel += in_row) {
                const struct grid_walk row = grid_walk_at(g, pixel);
                struct grid_meeting m;
                int64_t from, to;

                if (grid_meet(g, &row, t, &m)) {
                    grid_clip(g, &row, t[g->rank - 1], in_row, &from, &to);
                    s += (double)DOT(p->k, x + m.source + t[g->rank - 1] * last->base_step + from * last->step,
                                     last->step, dy + m.target + from, to - from);
                }
            }
        }
        *dw++ = (REAL)s;
    } while (grid_next_tap(g, t) && !pool_late(p->pool));
}
#undef REAL
#undef AXPY
#undef DOT
#undef FORWARD
#undef DX
#undef DW
