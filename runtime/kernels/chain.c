#include "kernels/chain.h"
#include "kernels/copy.h"
#include "kernels/parts.h"
#include <string.h>

enum { BLOCK = CHAIN_BLOCK };

/* `x`, whose rows of `period` come again and again, from `phase` on. */
static void repeat(const float *x, int64_t period, int64_t phase, int64_t n, float *to)
{
    int64_t have = period - phase < n ? period - phase : n;

    memcpy(to, x + phase, (size_t)have * sizeof *to);
    if (have < n) {
        const int64_t more = phase < n - have ? phase : n - have;

        memcpy(to + have, x, (size_t)more * sizeof *to);
        have += more;
    }
    while (have < n) { /* `have` is a period, or several */
        const int64_t more = have < n - have ? have : n - have;

        memcpy(to + have, to, (size_t)more * sizeof *to);
        have += more;
    }
}

static void fill(float *to, float value, int64_t n)
{
    for (int64_t k = 0; k < n; k++)
        to[k] = value;
}

/* Elements [from, from + n) of what `s` is spread to. */
static void spread(const struct chain_source *s, const float *x, int64_t from, int64_t n, float *to)
{
    int64_t i[MAX_RANK], rest = from;

    for (int d = 0; d < s->rank; d++) {
        i[d] = rest % s->dims[d];
        rest /= s->dims[d];
        x += d ? i[d] * s->step[d] : 0;
    }
    while (n > 0) {
        const bool rows = s->step[0] == 1 && s->rank > 1 && s->step[1] == 0;
        int64_t run = s->dims[0] - i[0];

        if (rows)
            run += (s->dims[1] - 1 - i[1]) * s->dims[0];
        run = run < n ? run : n;
        if (rows)
            repeat(x, s->dims[0], i[0], run, to);
        else if (s->step[0])
            memcpy(to, x + i[0], (size_t)run * sizeof *to);
        else
            fill(to, *x, run);
        to += run;
        n -= run;
        i[0] += run;
        for (int d = 0; d + 1 < s->rank && i[d] >= s->dims[d]; d++) {
            const int64_t over = i[d] / s->dims[d];

            i[d] -= over * s->dims[d];
            i[d + 1] += over;
            x += over * s->step[d + 1] - (d ? over * s->dims[d] * s->step[d] : 0);
        }
    }
}

/* Of a unary step, q is p. */
static void compute(const struct kernels *k, const struct chain_step *s, const float *p, bool p_one, const float *q,
                    bool q_one, float *y, int64_t n)
{
    const struct elements span = { .y = y, .x = { p, q }, .step = { !p_one, !q_one }, .n = n, .numbers = s->numbers };

    formula_f32(s->formula, k)(&span);
}

static const float *memory_of(const struct chain_task *t, int value)
{
    return chain_is_step(value) ? t->whole[value - CHAIN_INPUTS] : t->in[value];
}

/* What stands for element `from` and the rest of its run. */
static const float *run_at(const struct chain_source *s, const float *x, int64_t from)
{
    for (int d = 0; d < s->rank; d++) {
        x += from % s->dims[d] * s->step[d];
        from /= s->dims[d];
    }
    return x;
}

/* How many of n elements come before a run ends. */
static int64_t within_runs(const struct chain_source *s, int sources, int64_t from, int64_t n)
{
    for (int k = 0; k < sources; k++)
        if (s[k].form == CHAIN_RUNS && s[k].dims[0] - from % s[k].dims[0] < n)
            n = s[k].dims[0] - from % s[k].dims[0];
    return n;
}

static bool is_one(const struct chain_source *source, int number)
{
    const struct chain_source *s = number < CHAIN_STEPS ? NULL : &source[number - CHAIN_STEPS];

    return s && (s->form == CHAIN_ONE || (s->form == CHAIN_RUNS && s->step[0] == 0));
}

/* What block [from, from + n) of a stage reads. */
static void open_sources(const struct chain_task *t, const struct chain_stage *stage, int64_t from, int64_t n,
                         float *blocks, const float **to)
{
    for (int k = 0; k < stage->sources; k++) {
        const struct chain_source *s = &t->plan->source[stage->source + k];
        const float *x = memory_of(t, s->value);

        if (s->form == CHAIN_FULL) {
            to[k] = x + from;
        } else if (s->form == CHAIN_ONE) {
            to[k] = x;
        } else if (s->form == CHAIN_RUNS) {
            to[k] = run_at(s, x, from);
        } else if (s->form == CHAIN_ROW) {
            to[k] = blocks + s->at + from % s->dims[0];
        } else {
            spread(s, x, from, n, blocks + s->at);
            to[k] = blocks + s->at;
        }
    }
}

static void run_part(const struct chain_task *t, const struct chain_stage *stage, int64_t from, int64_t n,
                     float *blocks)
{
    const struct chain_code *code = t->plan->code + stage->code;
    const struct chain_source *source = t->plan->source + stage->source;
    const float *value[3 * CHAIN_STEPS]; /* results of codes, then sources */
    const int64_t end = from + n;
    int64_t count;

    for (int k = 0; k < stage->sources; k++) { /* once for all blocks */
        const struct chain_source *s = &source[k];

        if (s->form == CHAIN_ROW)
            repeat(memory_of(t, s->value), s->dims[0], 0, (n < BLOCK ? n : BLOCK) + s->dims[0], blocks + s->at);
    }
    for (; from < end; from += count) {
        count = within_runs(source, stage->sources, from, end - from < BLOCK ? end - from : BLOCK);
        open_sources(t, stage, from, count, blocks, value + CHAIN_STEPS);
        for (int k = 0; k < stage->codes; k++) {
            const struct chain_step *s = &code[k].step;
            float *y = code[k].place < 0 ? t->whole[code[k].number] + from : blocks + code[k].place * BLOCK;
            const int q = s->q < 0 ? s->p : s->q;

            compute(t->k, s, value[s->p], is_one(source, s->p), value[q], is_one(source, q), y, count);
            value[k] = y;
        }
    }
}

/* -- rows that are apart -- */

struct rows {
    const float *y; /* input 0 of them, side by side; NULL: it lies as the others */
    int64_t from, count, n, stride;
};

/* Is it the same in each of them? */
static bool is_row_of_all(const struct chain_source *s, const struct rows *r)
{
    return s->rank == 2 && s->step[1] == 0 && r->stride % s->dims[0] == 0;
}

static void lay_rows(const struct chain_source *s, const float *x, const struct rows *r, float *to)
{
    for (int64_t i = 0; i < r->count; i++) {
        const int64_t from = r->from + i * r->stride;

        if (s->form == CHAIN_FULL)
            copy_short(x + from, to + i * r->n, r->n);
        else
            spread(s, x, from, r->n, to + i * r->n);
    }
}

static void take_rows(const float *from, const struct rows *r, float *y)
{
    for (int64_t i = 0; i < r->count; i++)
        copy_short(from + i * r->n, y + r->from + i * r->stride, r->n);
}

/* What fits a block. `again`: these are not the first. */
static void run_rows(const struct chain_task *t, const struct chain_stage *stage, const struct rows *r, bool again,
                     float *blocks)
{
    const struct chain_code *code = t->plan->code + stage->code;
    const struct chain_source *source = t->plan->source + stage->source;
    const float *value[3 * CHAIN_STEPS]; /* results of codes, then sources */

    for (int k = 0; k < stage->sources; k++) {
        const struct chain_source *s = &source[k];
        const float *const x = memory_of(t, s->value);

        value[CHAIN_STEPS + k] = s->form == CHAIN_ONE ? x : s->value == 0 && r->y ? r->y : blocks + s->rows_at;
        if (value[CHAIN_STEPS + k] == blocks + s->rows_at && !(again && is_row_of_all(s, r)))
            lay_rows(s, x, r, blocks + s->rows_at);
    }
    for (int k = 0; k < stage->codes; k++) {
        const struct chain_step *s = &code[k].step;
        const int q = s->q < 0 ? s->p : s->q;
        float *const y = blocks + code[k].rows_at;

        compute(t->k, s, value[s->p], s->p >= CHAIN_STEPS && source[s->p - CHAIN_STEPS].form == CHAIN_ONE, value[q],
                q >= CHAIN_STEPS && source[q - CHAIN_STEPS].form == CHAIN_ONE, y, r->count * r->n);
        value[k] = y;
        if (code[k].place < 0)
            take_rows(y, r, t->whole[code[k].number]);
    }
}

/* -- work shared out -- */

struct stage_job {
    const struct chain_task *task;
    const struct chain_stage *stage;
};

static float *blocks_of(const struct chain_task *t, int thread)
{
    return t->plan->block_size ? t->blocks + thread * t->plan->block_size : NULL;
}

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct stage_job *j = context;
    const struct chain_plan *c = j->task->plan;
    const int64_t from = chunk * c->chunk, left = j->stage->total - from;

    run_part(j->task, j->stage, from, left < c->chunk ? left : c->chunk, blocks_of(j->task, thread));
}

/* Two pieces of work at least are worth waking another thread. */
static void run_stage(const struct chain_task *t, int stage, struct pool *pool)
{
    struct stage_job j = { t, &t->plan->stage[stage] };
    const int64_t chunk = t->plan->chunk, chunks = divide_up(j.stage->total, chunk);

    pool_run(chunks > 2 ? pool : NULL, chunks, run_chunk, &j);
}

static void open_task(struct chain_task *t, const struct chain_plan *c, const struct chain *chain,
                      const struct kernels *k, const float *const *in, float *const *out, void *scratch)
{
    float *const memory = scratch;

    *t = (struct chain_task){ .plan = c, .k = k, .blocks = memory ? memory + c->kept_size : NULL };
    for (int i = 0; i < chain->inputs; i++)
        t->in[i] = in[i];
    for (int s = 0; s < chain->steps; s++)
        t->whole[s] = c->kept[s] < 0 ? NULL : memory + c->kept[s];
    for (int o = 0; o < chain->outputs; o++)
        if (out[o])
            t->whole[chain->output[o]] = out[o];
}

void chain_run(const struct chain_plan *c, const struct chain *chain, const struct kernels *k, struct pool *pool,
               const float *const *in, float *const *out, void *scratch)
{
    struct chain_task t;

    open_task(&t, c, chain, k, in, out, scratch);
    for (int s = 0; s < c->stages; s++)
        run_stage(&t, s, pool);
}

void chain_prepare(struct chain_task *t, const struct chain_plan *c, const struct chain *chain, const struct kernels *k,
                   struct pool *pool, const float *const *in, float *const *out, void *scratch)
{
    open_task(t, c, chain, k, in, out, scratch);
    for (int s = 0; s + 1 < c->stages; s++)
        run_stage(t, s, pool);
}

void chain_part(const struct chain_task *t, int64_t from, int64_t n, int thread)
{
    run_part(t, &t->plan->stage[t->plan->stages - 1], from, n, blocks_of(t, thread));
}

void chain_rows(const struct chain_task *t, const float *y, int64_t from, int64_t rows, int64_t n, int64_t stride,
                int thread)
{
    enum { LONG = BLOCK / 4 };
    const bool is_long = n > LONG && !y;
    const int64_t each = BLOCK / n;

    if ((n == stride || rows == 1) && !y) {
        chain_part(t, from, rows * n, thread);
        return;
    }
    for (int64_t i = 0; is_long && i < rows; i++)
        chain_part(t, from + i * stride, n, thread);
    for (int64_t i = 0; !is_long && i < rows; i += each) {
        const struct rows r = { y ? y + i * n : NULL, from + i * stride, rows - i < each ? rows - i : each, n, stride };

        run_rows(t, &t->plan->stage[t->plan->stages - 1], &r, i > 0, blocks_of(t, thread));
    }
}
