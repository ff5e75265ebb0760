/* Shapes, stages and places of a chain: chain.c runs what comes out. */
#include "kernels/chain.h"
#include <string.h>

enum {
    BLOCK = CHAIN_BLOCK,
    RUN = 256, /* where the same number comes that often, blocks end with it */
    ROW = 512  /* a row that long is read where it lies, and blocks end with it */
};

static const struct tensor *shape_of(const struct chain_plan *c, const struct tensor *const *in, int operand)
{
    return chain_is_step(operand) ? &c->type[operand - CHAIN_INPUTS] : in[operand];
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
            !tensor_shape(&c->type[s], chain->dtype, rank, dims))
            return false;
    }
    return true;
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
    else if (s->step[0] == 0 ? s->dims[0] >= RUN && one : s->dims[0] >= ROW)
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
    int times_x[CHAIN_STEPS], inner[CHAIN_STEPS]; /* by the step that multiplies: x, and the step f(x) */
    bool gone[CHAIN_STEPS];                       /* the step has no code */
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
    if (chain_is_step(operand) && p->stage_of[operand - CHAIN_INPUTS] == stage - p->c->stage)
        for (int k = 0; k < stage->codes; k++)
            if (p->c->code[stage->code + k].number == operand - CHAIN_INPUTS)
                return k;
    return source_of(p, stage, operand, &p->c->type[of->number], one);
}

/* The operand of a formula f, where step s multiplies that operand with the result of it and nobody else reads that,
 * and f has one loop for x * f(x): then it is one code. CHAIN_NOTHING where s is none. */
static int times_x_of(const struct planning *p, int s, int *inner)
{
    const struct chain_step *step = p->chain->step;
    const int a = step[s].p, b = step[s].q;

    for (int o = 0; step[s].formula->product && o < 2; o++) {
        const int factor = o ? a : b, other = o ? b : a;
        int readers = 0;

        *inner = factor - CHAIN_INPUTS;
        if (!chain_is_step(factor) || !step[*inner].formula->times_x || step[*inner].p != other || p->whole[*inner])
            continue;
        for (int k = 0; k < p->chain->steps; k++)
            readers += (step[k].p == factor) + (step[k].q == factor);
        if (readers == 1)
            return other;
    }
    return CHAIN_NOTHING;
}

/* Steps that are a part of such a product have no code of their own. */
static void find_products(struct planning *p)
{
    for (int s = 0; s < p->chain->steps; s++) {
        int inner;

        p->times_x[s] = times_x_of(p, s, &inner);
        if (p->times_x[s] == CHAIN_NOTHING)
            continue;
        p->inner[s] = inner;
        p->gone[inner] = true;
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
        if (p->times_x[s] != CHAIN_NOTHING) {
            code->step = p->chain->step[p->inner[s]];
            code->step.formula = code->step.formula->times_x;
        }
        code->step.p = operand_of(p, stage, code->step.p, code, code->step.formula->takes_one);
        if (code->step.q != CHAIN_NOTHING)
            code->step.q = operand_of(p, stage, code->step.q, code, code->step.formula->takes_one);
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

            if (chain_is_step(operand) && p->stage_of[operand - CHAIN_INPUTS] != p->stage_of[s])
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

/* For each element. */
static int64_t work_of(const struct chain *chain)
{
    int64_t work = 2;

    for (int s = 0; s < chain->steps; s++)
        work += chain->step[s].formula->work;
    return work;
}

/* The loops are those of float. */
static bool has_types(const struct chain *chain, const struct tensor *const *in)
{
    for (int k = 0; k < chain->inputs; k++)
        if (in[k]->dtype != chain->dtype)
            return false;
    return chain->dtype == F32;
}

bool chain_plan(struct chain_plan *c, const struct chain *chain, const struct tensor *const *in, const bool *wanted)
{
    enum { PRODUCTS = 19 }; /* operations of a product in the time of one unit of work */
    struct planning p = { .c = c, .chain = chain, .in = in };
    int64_t work;

    *c = (struct chain_plan){ 0 };
    if (!has_types(chain, in) || !find_shapes(c, chain, in))
        return false;
    find_stages(&p);
    find_whole(&p, wanted);
    find_products(&p);
    for (int k = 0; k < c->stages; k++) {
        add_codes(&p, &c->stage[k]);
        give_places(&p, &c->stage[k]);
    }
    work = work_of(chain);
    c->chunk = (131072 / work / BLOCK + 2) * BLOCK; /* about 10 us, whatever the steps are */
    c->work = PRODUCTS * (double)work;
    return true;
}

void chain_plan_rows(struct chain_plan *c)
{
    const struct chain_stage *stage = &c->stage[c->stages - 1];
    int64_t size = c->block_size;

    for (int k = 0; k < stage->codes; k++) {
        struct chain_code *code = &c->code[stage->code + k];

        code->rows_at = code->place < 0 ? size : (int64_t)code->place * BLOCK;
        size += code->place < 0 ? BLOCK : 0;
    }
    for (int k = 0; k < stage->sources; k++) {
        struct chain_source *s = &c->source[stage->source + k];

        s->rows_at = s->at < 0 ? size : s->at;
        size += s->at < 0 ? BLOCK : 0;
    }
    c->block_size = size;
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
