#include "kernels/chain.h"
#include <string.h>

enum {
    BLOCK = 1024, /* floats of a block: a few of them fit the first cache together */
    RUN = 256     /* where the same number comes that often, blocks end with it */
};

/* -- planning ------------------------------------------------------------------------------------------------------ */

static bool is_step(int operand)
{
    return operand >= CHAIN_INPUTS;
}

static const struct tensor *shape_of(const struct chain_plan *c, const struct tensor *const *in, int operand)
{
    return is_step(operand) ? &c->type[operand - CHAIN_INPUTS] : in[operand];
}

/* The same elements in the same order? Leading dimensions of 1 make no difference. */
static bool is_alike(const struct tensor *a, const struct tensor *b)
{
    const int more = a->rank - b->rank;
    const struct tensor *const longer = more > 0 ? a : b, *const shorter = more > 0 ? b : a;
    const int skip = longer->rank - shorter->rank;

    for (int d = 0; d < skip; d++)
        if (longer->dims[d] != 1)
            return false;
    return shorter->rank == 0 ||
           memcmp(longer->dims + skip, shorter->dims, (size_t)shorter->rank * sizeof *shorter->dims) == 0;
}

static bool find_shapes(struct chain_plan *c, const struct chain *chain, const struct tensor *const *in)
{
    for (int s = 0; s < chain->steps; s++) {
        const struct chain_step *step = &chain->step[s];
        int64_t dims[MAX_RANK];
        int rank = 0;

        if (!broadcast(&rank, dims, shape_of(c, in, step->p)) ||
            (step->q != CHAIN_NOTHING && !broadcast(&rank, dims, shape_of(c, in, step->q))) ||
            !tensor_shape(&c->type[s], F32, rank, dims))
            return false;
    }
    return true;
}

/* Has an operand of one element a loop of its own here? */
static bool takes_one(const struct chain_step *s)
{
    return s->op == CHAIN_add || s->op == CHAIN_sub || s->op == CHAIN_mul || s->op == CHAIN_div;
}

/* How `t` lies in a result of the shape of `y`. */
static void find_form(struct chain_source *s, const struct tensor *t, const struct tensor *y, bool one)
{
    int64_t dense = 1;

    s->rank = 0;
    for (int d = y->rank - 1; d >= 0; d--) {
        const int axis = d - (y->rank - t->rank);
        const int64_t dim = axis < 0 ? 1 : t->dims[axis], step = dim == 1 ? 0 : dense;

        dense *= dim;
        if (y->dims[d] == 1)
            continue;
        if (s->rank && step == s->step[s->rank - 1] * s->dims[s->rank - 1]) {
            s->dims[s->rank - 1] *= y->dims[d];
            continue;
        }
        s->dims[s->rank] = y->dims[d];
        s->step[s->rank++] = step;
    }
    if (s->rank == 0 || (s->rank == 1 && s->step[0] == 1))
        s->form = CHAIN_FULL;
    else if (s->rank == 1 && one)
        s->form = CHAIN_ONE;
    else if (s->step[0] == 0 && s->dims[0] >= RUN && one)
        s->form = CHAIN_RUNS;
    else if (s->rank == 2 && s->step[0] == 1 && s->step[1] == 0 && s->dims[0] <= BLOCK)
        s->form = CHAIN_ROW;
    else
        s->form = CHAIN_SPREAD;
}

struct planning {
    struct chain_plan *c;
    const struct chain *chain;
    const struct tensor *const *in;
    bool whole[CHAIN_STEPS]; /* its result is wanted outside its stage */
    int stage_of[CHAIN_STEPS];
    int codes, sources;
    int swish[CHAIN_STEPS]; /* by the step that multiplies: of what */
    bool gone[CHAIN_STEPS]; /* the step has no code */
};

/* The operand as a code of this stage sees it. */
static int source_of(struct planning *p, struct chain_stage *stage, int operand, const struct tensor *y, bool one)
{
    struct chain_source *all = p->c->source + stage->source, s = { .value = operand, .at = CHAIN_NOTHING };

    find_form(&s, shape_of(p->c, p->in, operand), y, one);
    for (int k = 0; k < stage->sources; k++)
        if (all[k].value == operand && all[k].form == s.form)
            return CHAIN_STEPS + k;
    all[stage->sources] = s;
    p->sources++;
    return CHAIN_STEPS + stage->sources++;
}

static int operand_of(struct planning *p, struct chain_stage *stage, int operand, const struct chain_code *of, bool one)
{
    if (is_step(operand) && p->stage_of[operand - CHAIN_INPUTS] == stage - p->c->stage)
        for (int k = 0; k < stage->codes; k++)
            if (p->c->code[stage->code + k].number == operand - CHAIN_INPUTS)
                return k;
    return source_of(p, stage, operand, &p->c->type[of->number], one);
}

/* The operand of the sigmoid, where step s multiplies that operand with it and nobody else reads it: x * sigmoid(x) is
 * one code. CHAIN_NOTHING where s is none. */
static int swish_of(const struct planning *p, int s, int *sigmoid)
{
    const struct chain_step *step = p->chain->step;
    const int a = step[s].p, b = step[s].q;

    for (int o = 0; step[s].op == CHAIN_mul && o < 2; o++) {
        const int factor = o ? a : b, other = o ? b : a;
        int readers = 0;

        *sigmoid = factor - CHAIN_INPUTS;
        if (!is_step(factor) || step[*sigmoid].op != CHAIN_sigmoid || step[*sigmoid].p != other || p->whole[*sigmoid])
            continue;
        for (int k = 0; k < p->chain->steps; k++)
            readers += (step[k].p == factor) + (step[k].q == factor);
        if (readers == 1)
            return other;
    }
    return CHAIN_NOTHING;
}

/* Sigmoids that are a part of a swish have no code of their own. */
static void find_swishes(struct planning *p)
{
    for (int s = 0; s < p->chain->steps; s++) {
        int sigmoid;

        p->swish[s] = swish_of(p, s, &sigmoid);
        if (p->swish[s] != CHAIN_NOTHING)
            p->gone[sigmoid] = true;
    }
}

static void add_codes(struct planning *p, struct chain_stage *stage)
{
    const int number = (int)(stage - p->c->stage);

    stage->code = p->codes;
    stage->source = p->sources;
    for (int s = 0; s < p->chain->steps; s++) {
        struct chain_code *code = &p->c->code[p->codes];

        if (p->stage_of[s] != number || p->gone[s])
            continue;
        *code = (struct chain_code){ .step = p->chain->step[s], .number = s, .place = CHAIN_NOTHING };
        if (p->swish[s] != CHAIN_NOTHING)
            code->step = (struct chain_step){ .op = CHAIN_swish, .p = p->swish[s], .q = CHAIN_NOTHING };
        code->step.p = operand_of(p, stage, code->step.p, code, takes_one(&code->step));
        if (code->step.q != CHAIN_NOTHING)
            code->step.q = operand_of(p, stage, code->step.q, code, takes_one(&code->step));
        stage->codes++;
        p->codes++;
    }
}

/* Blocks for the results of a stage that nobody wants whole; a result may take the place of an operand that it is the
 * last to read. */
static void give_places(struct planning *p, struct chain_stage *stage)
{
    struct chain_code *code = p->c->code + stage->code;
    int last[CHAIN_STEPS], place_free[CHAIN_STEPS], free_count = 0, places = 0;
    int64_t size;

    for (int k = 0; k < stage->codes; k++) {
        last[k] = k;
        for (int o = 0; o < 2; o++) {
            const int operand = o ? code[k].step.q : code[k].step.p;

            if (operand >= 0 && operand < CHAIN_STEPS)
                last[operand] = k;
        }
    }
    for (int k = 0; k < stage->codes; k++) {
        for (int j = 0; j < k; j++)
            if (last[j] == k && code[j].place != CHAIN_NOTHING)
                place_free[free_count++] = code[j].place;
        if (!p->whole[code[k].number])
            code[k].place = free_count ? place_free[--free_count] : places++;
    }
    size = (int64_t)places * BLOCK;
    for (int k = 0; k < stage->sources; k++) {
        struct chain_source *s = &p->c->source[stage->source + k];

        if (s->form == CHAIN_ROW || s->form == CHAIN_SPREAD) {
            s->at = size;
            size += s->form == CHAIN_ROW ? 2 * BLOCK : BLOCK;
        }
    }
    if (size > p->c->block_size)
        p->c->block_size = size;
}

/* Steps of one shape are one stage. A result is never smaller than what it is made of: stages go by their size. */
static void find_stages(struct planning *p)
{
    struct chain_plan *c = p->c;
    bool given[CHAIN_STEPS] = { 0 };

    for (int left = p->chain->steps; left > 0; c->stages++) {
        int least = CHAIN_NOTHING;

        for (int s = 0; s < p->chain->steps; s++)
            if (!given[s] && (least < 0 || tensor_count(&c->type[s]) < tensor_count(&c->type[least])))
                least = s;
        for (int s = 0; s < p->chain->steps; s++)
            if (!given[s] && is_alike(&c->type[s], &c->type[least])) {
                given[s] = true;
                p->stage_of[s] = c->stages;
                left--;
            }
        c->stage[c->stages].total = tensor_count(&c->type[least]);
    }
}

static void find_whole(struct planning *p, const bool *wanted)
{
    struct chain_plan *c = p->c;

    for (int s = 0; s < p->chain->steps; s++) {
        const struct chain_step *step = &p->chain->step[s];

        for (int o = 0; o < 2; o++) {
            const int operand = o ? step->q : step->p;

            if (is_step(operand) && p->stage_of[operand - CHAIN_INPUTS] != p->stage_of[s])
                p->whole[operand - CHAIN_INPUTS] = true;
        }
        c->kept[s] = CHAIN_NOTHING;
    }
    for (int s = 0; s < p->chain->steps; s++)
        if (p->whole[s]) {
            c->kept[s] = c->kept_size;
            c->kept_size += (tensor_count(&c->type[s]) + 15) / 16 * 16;
        }
    for (int k = 0; k < p->chain->outputs; k++)
        if (wanted[k])
            p->whole[p->chain->output[k]] = true;
}

/* About 10 us of work, whatever the steps are. */
static int64_t chunk_of(const struct chain *chain)
{
    int64_t work = 2;

    for (int s = 0; s < chain->steps; s++)
        switch (chain->step[s].op) {
        case CHAIN_elu:
        case CHAIN_selu:
        case CHAIN_sigmoid:
        case CHAIN_swish:
        case CHAIN_tanh:
        case CHAIN_exp:
        case CHAIN_log:
        case CHAIN_softplus:
        case CHAIN_erf:
        case CHAIN_gelu:
        case CHAIN_gelu_tanh:
        case CHAIN_erf_grad:
        case CHAIN_elu_grad:
        case CHAIN_selu_grad:
        case CHAIN_softplus_grad:
        case CHAIN_gelu_grad:
        case CHAIN_gelu_tanh_grad:
            work += 8;
            break;
        case CHAIN_div:
        case CHAIN_sqrt:
        case CHAIN_reciprocal:
            work += 2;
            break;
        default:
            work++;
        }
    return (131072 / work / BLOCK + 2) * BLOCK;
}

bool chain_plan(struct chain_plan *c, const struct chain *chain, const struct tensor *const *in, const bool *wanted)
{
    struct planning p = { .c = c, .chain = chain, .in = in };

    *c = (struct chain_plan){ 0 };
    if (!find_shapes(c, chain, in))
        return false;
    find_stages(&p);
    find_whole(&p, wanted);
    find_swishes(&p);
    for (int k = 0; k < c->stages; k++) {
        add_codes(&p, &c->stage[k]);
        give_places(&p, &c->stage[k]);
    }
    c->chunk = chunk_of(chain);
    return true;
}

/* Only one stage may read the input, element by element, and no step after this one. */
bool chain_may_share(const struct chain_plan *c, int step, int input)
{
    for (int k = 0; k < c->stages; k++) {
        const struct chain_stage *stage = &c->stage[k];
        int at = CHAIN_NOTHING;

        for (int i = 0; i < stage->codes; i++)
            if (c->code[stage->code + i].number == step)
                at = i;
        for (int n = 0; n < stage->sources; n++) {
            const struct chain_source *s = &c->source[stage->source + n];

            if (s->value != input)
                continue;
            if (at == CHAIN_NOTHING || s->form != CHAIN_FULL)
                return false;
            for (int i = at + 1; i < stage->codes; i++)
                if (c->code[stage->code + i].step.p == CHAIN_STEPS + n ||
                    c->code[stage->code + i].step.q == CHAIN_STEPS + n)
                    return false;
        }
    }
    return true;
}

size_t chain_scratch(const struct chain_plan *c, int threads)
{
    return (size_t)(c->kept_size + c->block_size * threads) * sizeof(float);
}

/* -- running ------------------------------------------------------------------------------------------------------- */

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

static void compute(const struct kernels *k, const struct chain_step *s, const float *p, bool p_one, const float *q,
                    bool q_one, float *y, int64_t n)
{
    switch (s->op) {
#define X(name)                                                                                                        \
    case CHAIN_##name:                                                                                                 \
        k->name(p, y, n, s->a, s->b);                                                                                  \
        break;
        KERNELS_UNARY(X)
#undef X
#define X(name)                                                                                                        \
    case CHAIN_##name:                                                                                                 \
        k->name(p, q, y, n, s->a, s->b);                                                                               \
        break;
        KERNELS_UNARY_GRAD(X)
#undef X
    case CHAIN_add:
        if (q_one)
            k->add_s(p, *q, y, n);
        else if (p_one)
            k->add_s(q, *p, y, n);
        else
            k->add(p, q, y, n);
        break;
    case CHAIN_sub:
        if (q_one)
            k->add_s(p, -*q, y, n);
        else if (p_one)
            k->sub_r(q, *p, y, n);
        else
            k->sub(p, q, y, n);
        break;
    case CHAIN_mul:
        if (q_one)
            k->mul_s(p, *q, y, n);
        else if (p_one)
            k->mul_s(q, *p, y, n);
        else
            k->mul(p, q, y, n);
        break;
    case CHAIN_div:
        if (q_one)
            k->div_s(p, *q, y, n);
        else if (p_one)
            k->div_r(q, *p, y, n);
        else
            k->div(p, q, y, n);
        break;
    case CHAIN_max:
        k->max(p, q, y, n);
        break;
    case CHAIN_min:
        k->min(p, q, y, n);
        break;
    case CHAIN_prelu:
        k->prelu(p, q, y, n);
        break;
    case CHAIN_OPS:
        break;
    }
}

static const float *memory_of(const struct chain_task *t, int value)
{
    return is_step(value) ? t->whole[value - CHAIN_INPUTS] : t->in[value];
}

/* The number that stands for element `from` and the rest of its run. */
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
    const enum chain_form form = number < CHAIN_STEPS ? CHAIN_FULL : source[number - CHAIN_STEPS].form;

    return form == CHAIN_ONE || form == CHAIN_RUNS;
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

struct stage_job {
    const struct chain_task *task;
    const struct chain_stage *stage;
};

static void run_chunk(void *context, int64_t chunk, int thread)
{
    const struct stage_job *j = context;
    const struct chain_plan *c = j->task->plan;
    const int64_t from = chunk * c->chunk, left = j->stage->total - from;

    run_part(j->task, j->stage, from, left < c->chunk ? left : c->chunk, j->task->blocks + thread * c->block_size);
}

/* Two pieces of work at least are worth waking another thread. */
static void run_stage(const struct chain_task *t, int stage, struct pool *pool)
{
    struct stage_job j = { t, &t->plan->stage[stage] };
    const int64_t chunk = t->plan->chunk, chunks = (j.stage->total + chunk - 1) / chunk;

    pool_run(chunks > 2 ? pool : NULL, chunks, run_chunk, &j);
}

static void open_task(struct chain_task *t, const struct chain_plan *c, const struct chain *chain,
                      const struct kernels *k, const float *const *in, float *const *out, void *scratch)
{
    float *const memory = scratch;

    *t = (struct chain_task){ .plan = c, .k = k, .blocks = memory + c->kept_size };
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
    run_part(t, &t->plan->stage[t->plan->stages - 1], from, n, t->blocks + thread * t->plan->block_size);
}
