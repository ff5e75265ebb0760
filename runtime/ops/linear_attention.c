/* LinearAttention, https://onnx.ai/onnx/operators/onnx__LinearAttention.html; Katharopoulos and others,
 * arXiv:2006.16236; Yang and others, arXiv:2412.06464
 *
 * A head of keys has a state S [keys' size, values' size], which each token changes, and which the queries read:
 *
 *   A = exp(decay) S      where the rule is gated: a number for each row of S, or one for all
 *   w = beta (v - A' k)   where it is a delta rule, else v
 *   S = A + k w'          o = scale q' S
 *
 * from past_state, or zeros. Several heads of queries may read one state. Tensors are [batch, tokens, heads * size]; beta
 * may be one for all heads. Columns of S do not meet: some of them, which fit the nearest cache, go through all tokens by
 * themselves, which is also how the work is shared out. chunk_size is a hint for others. Computed in float.
 *
 * Back, with D = dL/dS after a token, of what comes later, and what its outputs add, scale q do':
 *
 *   dq = scale S do    dk = D w - A du    dw = D' k    dbeta = dw u    du = beta dw = dv    with u = v - A' k
 *   dA = D - k du'     ddecay = the sums of rows of dA A     D before the token = exp(decay) dA
 *
 * with du, and what has it, of delta rules alone. States are computed again, from those of every so many tokens. */
#include "ops/linear_attention.h"
#include "kernels/dense_block.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include "ops/compute.h"
#include "ops/cost.h"
#include "ops/rank.h"
#include "ops/rows.h"
#include <math.h>
#include <string.h>

enum { COLUMNS = 64 }; /* of a state that are worked on at a time */

/* -- read -- */

static bool heads(struct parse *p, const char *name, int64_t *to)
{
    *to = attr_int(p, name, 0);
    if (!attr_given(p, name))
        return parse_error(p, "attribute '%s' is missing", name);
    return *to > 0 || parse_error(p, "%s is %lld, must be at least 1", name, (long long)*to);
}

static bool needs(struct parse *p, int k, const char *name, const char *rule, bool wanted)
{
    return input_given(p, k) == wanted ||
           parse_error(p, "update_rule is '%s', which %s '%s'", rule, wanted ? "needs" : "has no", name);
}

static bool parse(struct parse *p, void *attrs)
{
    static const char *const rules[] = { "linear", "gated", "delta", "gated_delta", NULL };
    struct linear_attention *a = attrs;
    const int rule = attr_choice(p, "update_rule", rules, 3);

    attr_int(p, "chunk_size", 64);
    a->scale = attr_float(p, "scale", 0);
    if (rule < 0 || !heads(p, "q_num_heads", &a->q_heads) || !heads(p, "kv_num_heads", &a->kv_heads))
        return false;
    a->gated = rule & 1;
    a->delta = rule & 2;
    if (a->q_heads % a->kv_heads)
        return parse_error(p, "q_num_heads is %lld, must be a multiple of kv_num_heads, which is %lld",
                           (long long)a->q_heads, (long long)a->kv_heads);
    return needs(p, DECAY, "decay", rules[rule], a->gated) && needs(p, BETA, "beta", rules[rule], a->delta);
}

/* -- what a run looks at -- */

struct work {
    struct step *s;
    const struct linear_attention *a;
    int64_t batch, tokens, group, size, value_size;
    int64_t decays, betas; /* numbers of a token: of decay for a head, of beta in all */
    int64_t blocks;        /* of columns */
    int64_t chunk;         /* tokens from one kept state to the next */
    float scale;
    char *rooms;
    size_t room;
    float *dbeta; /* [batch, heads, tokens] */
};

static struct work work_of(struct step *s, const struct linear_attention *a, const struct tensor *const *in)
{
    const struct tensor *q = in[QUERY];
    struct work w = { .s = s, .a = a, .batch = q->dims[0], .tokens = q->dims[1] };

    w.group = a->q_heads / a->kv_heads;
    w.size = q->dims[2] / a->q_heads;
    w.value_size = in[VALUE]->dims[2] / a->kv_heads;
    w.decays = in[DECAY] ? in[DECAY]->dims[2] / a->kv_heads : 0;
    w.betas = in[BETA] ? in[BETA]->dims[2] : 0;
    w.blocks = divide_up(w.value_size, COLUMNS);
    w.scale = a->scale != 0 ? a->scale : 1 / sqrtf((float)w.size);
    for (w.chunk = 1; w.chunk * w.chunk < w.tokens;)
        w.chunk++;
    return w;
}

/* Some columns of the state of one head. */
struct part {
    int64_t batch, head, column, columns;
};

static struct part part_of(const struct work *w, int64_t head, int64_t block)
{
    const int64_t from = even_start(w->value_size, w->blocks, block);

    return (struct part){ head / w->a->kv_heads, head % w->a->kv_heads, from,
                          even_start(w->value_size, w->blocks, block + 1) - from };
}

/* A token's numbers, and what comes of them. */
struct token {
    float *q, *o; /* [group, size], times scale; [group, columns] */
    float *k, *a; /* of each row of S: a is exp(decay), or one number */
    float *ka;    /* k a */
    float *v, *u, *w;
    float beta;
};

static int64_t step_of_a(const struct work *w)
{
    return w->decays > 1 || (w->decays == 1 && w->size == 1);
}

static void load_token(const struct work *w, const struct part *p, int64_t t, struct token *x)
{
    const struct step *s = w->s;
    const int64_t heads = w->a->kv_heads, row = p->batch * w->tokens + t, width = w->group * w->size;

    floats_in(s->in[QUERY], (row * heads + p->head) * width, width, x->q);
    s->k->map->mul_s(x->q, w->scale, x->q, width);
    floats_in(s->in[KEY], (row * heads + p->head) * w->size, w->size, x->k);
    floats_in(s->in[VALUE], (row * heads + p->head) * w->value_size + p->column, p->columns, x->v);
    x->a[0] = 1;
    if (w->a->gated) {
        floats_in(s->in[DECAY], (row * heads + p->head) * w->decays, w->decays, x->a);
        s->k->softmax->exps(x->a, w->decays, 0);
    }
    x->beta = 1;
    if (w->a->delta)
        floats_in(s->in[BETA], row * w->betas + (w->betas == 1 ? 0 : p->head), 1, &x->beta);
    for (int64_t r = 0; r < w->size && w->a->delta; r++)
        x->ka[r] = x->k[r] * x->a[r * step_of_a(w)];
}

/* y [rows, columns] = x [rows, size] S */
static void read_state(const struct work *w, const struct part *p, const float *x, int64_t rows, const float *state,
                       float *y)
{
    block_product(w->s->k, &(const struct block){ .dtype = F32,
                                                  .rows = rows,
                                                  .columns = p->columns,
                                                  .depth = w->size,
                                                  .a = x,
                                                  .a_row = w->size,
                                                  .b = state,
                                                  .b_row = p->columns,
                                                  .c = y,
                                                  .c_row = p->columns });
}

/* What is written for this token: w, and u. */
static void find_written(const struct work *w, const struct part *p, const float *state, struct token *x)
{
    if (!w->a->delta) {
        memcpy(x->w, x->v, (size_t)p->columns * sizeof *x->w);
        return;
    }
    read_state(w, p, x->ka, 1, state, x->u);
    for (int64_t c = 0; c < p->columns; c++) {
        x->u[c] = x->v[c] - x->u[c];
        x->w[c] = x->beta * x->u[c];
    }
}

static void next_state_of(const struct work *w, const struct part *p, int64_t t, struct token *x, float *state)
{
    load_token(w, p, t, x);
    find_written(w, p, state, x);
    w->s->k->gemm->add_outer(x->a, step_of_a(w), x->k, x->w, w->size, p->columns, p->columns, state);
}

static int64_t state_at(const struct work *w, const struct part *p, int64_t r)
{
    return ((p->batch * w->a->kv_heads + p->head) * w->size + r) * w->value_size + p->column;
}

static void load_state(const struct work *w, const struct part *p, const struct tensor *t, float *state)
{
    for (int64_t r = 0; r < w->size; r++)
        floats_in(t, state_at(w, p, r), p->columns, state + r * p->columns);
}

static void store_state(const struct work *w, const struct part *p, const struct tensor *t, const float *state)
{
    for (int64_t r = 0; r < w->size; r++)
        floats_out(t, state_at(w, p, r), p->columns, state + r * p->columns);
}

/* An address, not a pointer: where there is no memory yet it is a number that is counted. */
static float *take(uintptr_t *at, int64_t n)
{
    float *const p = (float *)*at;

    *at += aligned((size_t)n * sizeof *p);
    return p;
}

static void take_token(const struct work *w, uintptr_t *at, struct token *x)
{
    x->q = take(at, w->group * w->size);
    x->o = take(at, w->group * COLUMNS);
    x->k = take(at, w->size);
    x->a = take(at, w->size + 1);
    x->ka = take(at, w->size);
    x->v = take(at, COLUMNS);
    x->u = take(at, COLUMNS);
    x->w = take(at, COLUMNS);
}

/* -- run -- */

static size_t room_of(const struct work *w, char *memory, struct token *x, float **state)
{
    uintptr_t at = (uintptr_t)memory;

    take_token(w, &at, x);
    *state = take(&at, w->size * COLUMNS);
    return (size_t)(at - (uintptr_t)memory);
}

static void attend(void *context, int64_t job, int thread)
{
    const struct work *w = context;
    const struct part p = part_of(w, job / w->blocks, job % w->blocks);
    struct token x;
    float *state;

    room_of(w, w->rooms + (size_t)thread * w->room, &x, &state);
    load_state(w, &p, w->s->in[PAST], state);
    for (int64_t t = 0; t < w->tokens && !pool_late(w->s->pool); t++) {
        next_state_of(w, &p, t, &x, state);
        read_state(w, &p, x.q, w->group, state, x.o);
        for (int64_t g = 0; g < w->group; g++)
            floats_out(w->s->out[OUTPUT],
                       ((p.batch * w->tokens + t) * w->a->q_heads + p.head * w->group + g) * w->value_size + p.column,
                       p.columns, x.o + g * p.columns);
    }
    store_state(w, &p, w->s->out[PRESENT], state);
}

/* Of all inputs, those that the node has not got at its end included. */
static void inputs_of(const struct step *s, const struct tensor *in[INPUTS])
{
    for (int k = 0; k < INPUTS; k++)
        in[k] = k < s->node->inputs ? s->in[k] : NULL;
}

static bool run(struct step *s)
{
    const struct tensor *in[INPUTS];
    struct step all = *s;
    struct token x;
    struct work w;
    float *state;

    inputs_of(s, in);
    all.in = in;
    w = work_of(&all, s->attrs, in);
    w.rooms = s->scratch;
    w.room = room_of(&w, NULL, &x, &state);
    pool_run(s->pool, w.batch * w.a->kv_heads * w.blocks, attend, &w);
    return true;
}

/* -- plan -- */

static bool check_rows(struct infer *i, int k, const char *name, int64_t heads)
{
    const struct tensor *t = typed_in(i, k), *q = typed_in(i, QUERY);
    char text[2][TYPE_TEXT];

    if (t->rank != 3 || q->rank != 3 || t->dims[0] != q->dims[0] || t->dims[1] != q->dims[1])
        return infer_error(i, "'%s' is %s and 'query' %s: [batch, tokens, heads * size] is needed", name,
                           tensor_text(t, text[0]), tensor_text(q, text[1]));
    return t->dims[2] % heads == 0 || infer_error(i, "'%s' is %s, its last dimension must be a multiple of %lld heads",
                                                  name, tensor_text(t, text[0]), (long long)heads);
}

static bool check(struct infer *i, const struct linear_attention *a, const struct tensor *in[INPUTS])
{
    int64_t size;
    char text[TYPE_TEXT];

    for (int k = 0; k < INPUTS; k++)
        in[k] = k < infer_inputs(i) ? typed_in(i, k) : NULL;
    if (!check_rows(i, QUERY, "query", a->q_heads) || !check_rows(i, KEY, "key", a->kv_heads) ||
        !check_rows(i, VALUE, "value", a->kv_heads) || (in[DECAY] && !check_rows(i, DECAY, "decay", a->kv_heads)) ||
        (in[BETA] && !check_rows(i, BETA, "beta", 1)))
        return false;
    size = in[QUERY]->dims[2] / a->q_heads;
    if (in[KEY]->dims[2] / a->kv_heads != size)
        return infer_error(i, "'key' is %s, must have heads of %lld as 'query'", tensor_text(in[KEY], text),
                           (long long)size);
    if (in[DECAY] && in[DECAY]->dims[2] != a->kv_heads && in[DECAY]->dims[2] != a->kv_heads * size)
        return infer_error(i, "'decay' is %s, its last dimension must be %lld, or %lld", tensor_text(in[DECAY], text),
                           (long long)a->kv_heads, (long long)(a->kv_heads * size));
    return !in[BETA] || in[BETA]->dims[2] == 1 || in[BETA]->dims[2] == a->kv_heads ||
           infer_error(i, "'beta' is %s, its last dimension must be %lld, or 1", tensor_text(in[BETA], text),
                       (long long)a->kv_heads);
}

static bool infer(struct infer *i)
{
    const struct linear_attention *a = infer_attrs(i);
    const struct tensor *in[INPUTS];
    int64_t y[3], state[4];
    char text[2][TYPE_TEXT];
    struct tensor need;
    struct token x;
    struct work w;
    float *memory;

    if (!check(i, a, in))
        return false;
    w = work_of(NULL, a, in);
    memcpy(y, (int64_t[]){ w.batch, w.tokens, 0 }, sizeof y);
    memcpy(state, (int64_t[]){ w.batch, a->kv_heads, w.size, w.value_size }, sizeof state);
    if (!mul_size(a->q_heads, w.value_size, &y[2]) || !tensor_shape(&need, F32, 4, state))
        return infer_error(i, "'output' is too large");
    need.dtype = in[PAST] ? in[PAST]->dtype : in[QUERY]->dtype;
    if (in[PAST] && !same_shape(in[PAST], &need))
        return infer_error(i, "'past_state' is %s, must be %s", tensor_text(in[PAST], text[0]),
                           tensor_text(&need, text[1]));
    need_scratch(i, room_of(&w, NULL, &x, &memory) * (size_t)infer_threads(i));
    return set_out(i, OUTPUT, in[QUERY]->dtype, 3, y) && set_out(i, PRESENT, need.dtype, 4, state);
}

static int rank(const struct node *n, int k)
{
    (void)n;
    return k == OUTPUT ? 3 : 4;
}

static enum dtype dtype(const struct node *n, int k)
{
    return k == PRESENT && n->inputs > PAST && n->in[PAST] ? known_input(n, PAST).dtype : known_input(n, QUERY).dtype;
}

static void cost_times(const struct node *n, const struct tensor *const *in, double times, struct cost *c)
{
    const struct linear_attention *a = n->attrs;
    const double size = (double)(in[QUERY]->dims[2] / a->q_heads);

    c->flops = times * cost_count(in[VALUE]) * size * (double)(1 + a->delta + a->q_heads / a->kv_heads);
}

static void cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)out;
    cost_times(n, in, 2, c);
}

static void grad_cost(const struct node *n, const struct tensor *const *in, struct tensor *const *out, struct cost *c)
{
    (void)out;
    cost_times(n, in, 8, c);
}

static bool batch_independent(const struct node *n, const struct tensor *const *types, const bool *rows)
{
    (void)types;
    for (int k = 0; k < n->inputs; k++)
        if (n->in[k] && !rows[k])
            return false;
    return true;
}

/* -- differentiate -- */

struct grad_room {
    struct token x;
    float *d;            /* dL/dS */
    float *kept, *chunk; /* states before every so many tokens; around each token of a chunk */
    float *dw, *dk, *rows, *panel;
    float *dq_all, *dk_all, *decay_all; /* of all tokens: sums over columns */
};

static size_t grad_room_of(const struct work *w, char *memory, struct grad_room *m)
{
    const int64_t state = w->size * COLUMNS;
    uintptr_t at = (uintptr_t)memory;

    take_token(w, &at, &m->x);
    m->d = take(&at, state);
    m->kept = take(&at, state * (w->chunk + 1));
    m->chunk = take(&at, state * (w->chunk + 1));
    m->dw = take(&at, COLUMNS);
    m->rows = take(&at, w->size);
    m->panel = take(&at, state);
    m->dq_all = take(&at, w->tokens * w->group * w->size);
    m->dk_all = take(&at, w->tokens * w->size);
    m->decay_all = take(&at, w->tokens * w->decays);
    return (size_t)(at - (uintptr_t)memory);
}

/* y [rows, size] = x [rows, columns] S', or added to what is there */
static void read_columns(const struct work *w, const struct part *p, const float *x, int64_t rows, const float *state,
                         float *y, bool add, float *panel)
{
    const struct block b = { .dtype = F32,
                             .rows = rows,
                             .columns = w->size,
                             .depth = p->columns,
                             .a = x,
                             .a_row = p->columns,
                             .b = state,
                             .b_row = p->columns,
                             .c = y,
                             .c_row = w->size,
                             .add = add };

    block_of_rows(w->s->k, &b, panel);
}

/* What a token's outputs say of the state behind it, and of its queries. */
static void outputs_back(const struct work *w, const struct part *p, int64_t t, struct grad_room *m, const float *after)
{
    struct token *x = &m->x;
    const struct block to_state = { .dtype = F32,
                                    .rows = w->size,
                                    .columns = p->columns,
                                    .depth = w->group,
                                    .a = x->q,
                                    .a_row = w->size,
                                    .b = x->o,
                                    .b_row = p->columns,
                                    .c = m->d,
                                    .c_row = p->columns,
                                    .add = true };

    for (int64_t g = 0; g < w->group; g++)
        floats_in(w->s->in[GRAD_OUTPUT],
                  ((p->batch * w->tokens + t) * w->a->q_heads + p->head * w->group + g) * w->value_size + p->column,
                  p->columns, x->o + g * p->columns);
    read_columns(w, p, x->o, w->group, after, m->dq_all + t * w->group * w->size, true, m->panel);
    block_of_columns(w->s->k, &to_state);
}

/* Of a delta rule: du is m->dw now, and what A gives and gets by it is added. */
static void delta_back(const struct work *w, const struct part *p, int64_t t, struct grad_room *m, const float *before)
{
    const struct kernels *k = w->s->k;
    const float one = 1;
    float *const dk = m->dk_all + t * w->size;

    w->dbeta[(p->batch * w->a->kv_heads + p->head) * w->tokens + t] += k->reduce->dot(m->dw, m->x.u, p->columns);
    k->map->mul_s(m->dw, m->x.beta, m->dw, p->columns);
    read_columns(w, p, m->dw, 1, before, m->rows, false, m->panel);
    for (int64_t r = 0; r < w->size; r++) {
        dk[r] -= m->rows[r] * m->x.a[r * step_of_a(w)];
        m->rows[r] = -m->x.k[r];
    }
    k->gemm->add_outer(&one, 0, m->rows, m->dw, w->size, p->columns, p->columns, m->d);
}

static void decay_back(const struct work *w, const struct part *p, int64_t t, struct grad_room *m, const float *before)
{
    const struct kernels *k = w->s->k;

    for (int64_t r = 0; r < w->size; r++) {
        const float a = m->x.a[r * step_of_a(w)];
        float *const d = m->d + r * p->columns;

        m->decay_all[t * w->decays + r * step_of_a(w)] += a * k->reduce->dot(d, before + r * p->columns, p->columns);
        k->map->mul_s(d, a, d, p->columns);
    }
}

static void token_back(const struct work *w, const struct part *p, int64_t t, struct grad_room *m, const float *before)
{
    const float *const after = before + w->size * p->columns;

    load_token(w, p, t, &m->x);
    find_written(w, p, before, &m->x);
    outputs_back(w, p, t, m, after);
    read_columns(w, p, m->x.w, 1, m->d, m->dk_all + t * w->size, true, m->panel);
    read_state(w, p, m->x.k, 1, m->d, m->dw);
    if (w->a->delta)
        delta_back(w, p, t, m, before);
    floats_out(w->s->out[VALUE], ((p->batch * w->tokens + t) * w->a->kv_heads + p->head) * w->value_size + p->column,
               p->columns, m->dw);
    if (w->a->gated)
        decay_back(w, p, t, m, before);
}

/* States before the tokens of a chunk, and behind its last one, from the kept one. */
static void chunk_again(const struct work *w, const struct part *p, int64_t chunk, struct grad_room *m, int64_t tokens)
{
    const int64_t state = w->size * p->columns;

    memcpy(m->chunk, m->kept + chunk * state, (size_t)state * sizeof *m->chunk);
    for (int64_t t = 0; t < tokens; t++) {
        float *const next = m->chunk + (t + 1) * state;

        memcpy(next, next - state, (size_t)state * sizeof *next);
        next_state_of(w, p, chunk * w->chunk + t, &m->x, next);
    }
}

static void columns_back(const struct work *w, const struct part *p, struct grad_room *m)
{
    const int64_t state = w->size * p->columns, chunks = w->tokens ? divide_up(w->tokens, w->chunk) : 0;

    load_state(w, p, w->s->in[PAST], m->kept);
    for (int64_t chunk = 0; chunk + 1 < chunks && !pool_late(w->s->pool); chunk++) {
        chunk_again(w, p, chunk, m, w->chunk);
        memcpy(m->kept + (chunk + 1) * state, m->chunk + w->chunk * state, (size_t)state * sizeof *m->kept);
    }
    load_state(w, p, w->s->in[GRAD_PRESENT], m->d);
    for (int64_t chunk = chunks - 1; chunk >= 0 && !pool_late(w->s->pool); chunk--) {
        const int64_t first = chunk * w->chunk, tokens = lesser(w->chunk, w->tokens - first);

        chunk_again(w, p, chunk, m, tokens);
        for (int64_t t = tokens - 1; t >= 0; t--)
            token_back(w, p, first + t, m, m->chunk + t * state);
    }
    store_state(w, p, w->s->out[PAST], m->d);
}

static void head_back(void *context, int64_t job, int thread)
{
    const struct work *w = context;
    const int64_t heads = w->a->kv_heads, width = w->group * w->size;
    struct grad_room m;

    grad_room_of(w, w->rooms + (size_t)thread * w->room, &m);
    memset(m.dq_all, 0, (size_t)(w->tokens * width) * sizeof *m.dq_all);
    memset(m.dk_all, 0, (size_t)(w->tokens * w->size) * sizeof *m.dk_all);
    memset(m.decay_all, 0, (size_t)(w->tokens * w->decays) * sizeof *m.decay_all);
    memset(w->dbeta + job * w->tokens, 0, (size_t)w->tokens * sizeof *w->dbeta);
    for (int64_t block = 0; block < w->blocks; block++) {
        const struct part p = part_of(w, job, block);

        columns_back(w, &p, &m);
    }
    w->s->k->map->mul_s(m.dq_all, w->scale, m.dq_all, w->tokens * width);
    for (int64_t t = 0; t < w->tokens; t++) {
        const int64_t row = (job / heads * w->tokens + t) * heads + job % heads;

        floats_out(w->s->out[QUERY], row * width, width, m.dq_all + t * width);
        floats_out(w->s->out[KEY], row * w->size, w->size, m.dk_all + t * w->size);
        floats_out(w->s->out[DECAY], row * w->decays, w->decays, m.decay_all + t * w->decays);
    }
}

/* From [batch, heads, tokens]: one for all heads has the sum. */
static void store_dbeta(const struct work *w)
{
    const int64_t heads = w->a->kv_heads;

    for (int64_t row = 0; row < w->batch * w->tokens; row++) {
        const float *const of = w->dbeta + row / w->tokens * heads * w->tokens + row % w->tokens;
        float sum = 0;

        for (int64_t h = 0; h < heads; h++) {
            sum += of[h * w->tokens];
            if (w->betas == heads)
                floats_out(w->s->out[BETA], row * heads + h, 1, of + h * w->tokens);
        }
        if (w->betas != heads)
            floats_out(w->s->out[BETA], row, 1, &sum);
    }
}

static size_t dbeta_bytes(const struct work *w)
{
    return aligned((size_t)(w->batch * w->a->kv_heads * w->tokens) * sizeof(float));
}

static bool grad_infer(struct infer *i)
{
    const struct tensor *in[INPUTS];
    struct grad_room m;
    struct work w;

    for (int k = 0; k < INPUTS; k++) {
        in[k] = typed_in(i, k);
        if (in[k] && !set_out(i, k, in[k]->dtype, in[k]->rank, in[k]->dims))
            return false;
    }
    w = work_of(NULL, infer_attrs(i), in);
    need_scratch(i, dbeta_bytes(&w) + grad_room_of(&w, NULL, &m) * (size_t)infer_threads(i));
    return true;
}

static bool grad_run(struct step *s)
{
    struct work w = work_of(s, s->attrs, s->in);
    struct grad_room m;

    w.dbeta = s->scratch;
    w.rooms = scratch_at(s, dbeta_bytes(&w));
    w.room = grad_room_of(&w, NULL, &m);
    pool_run(s->pool, w.batch * w.a->kv_heads, head_back, &w);
    if (s->out[BETA])
        store_dbeta(&w);
    return true;
}

static const struct op op_grad = {
    .name = "LinearAttentionGrad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature =
                                           "T query, T key, T value, S past_state?, T decay?, T beta?, T doutput?, S "
                                           "dpresent? -> T dquery?, T dkey?, T dvalue?, S dpast?, T ddecay?, T dbeta?",
                                       .types = "T: f16 bf16 f32; S: f16 bf16 f32",
                                       .attrs_size = sizeof(struct linear_attention),
                                       .retrace = linear_attention_retrace,
                                       .infer = grad_infer,
                                       .run = grad_run,
                                       .cost = grad_cost,
                                       .no_gradient = "it is made again" },
                                     { 0 } },
};

static bool gradient(struct backward *b)
{
    struct value *in[GRAD_INPUTS], *d[INPUTS];
    bool want[INPUTS];

    for (int k = 0; k < INPUTS; k++) {
        in[k] = forward_in(b, k);
        want[k] = type_in(b, k) && wants(b, k);
    }
    in[GRAD_OUTPUT] = upstream(b, OUTPUT);
    in[GRAD_PRESENT] = upstream(b, PRESENT);
    emit_private(emitter_of(b), &op_grad, attrs_of(b), INPUTS, d, want, GRAD_INPUTS, in);
    for (int k = 0; k < INPUTS; k++)
        if (want[k])
            give(b, k, d[k]);
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[2,3,4] f32[2,3,4] f32[2,3,6]", "q_num_heads=2 kv_num_heads=2 update_rule='linear'",
      "f32[2,3,6] f32[2,2,2,3]", 7 },
    { "f32[2,5,8] f32[2,5,4] f32[2,5,6] f32[2,2,2,3] f32[2,5,4]", "q_num_heads=4 kv_num_heads=2 update_rule='gated'",
      "f32[2,5,12] f32[2,2,2,3]", 31 },
    { "f32[2,5,4] f32[2,5,4] f32[2,5,6] f32[2,2,2,3] f32[2,5,2]",
      "q_num_heads=2 kv_num_heads=2 update_rule='gated' scale=0.4", "f32[2,5,6] f32[2,2,2,3]", 31 },
    { "f32[2,5,6] f32[2,5,6] f32[2,5,3] f32[2,3,2,1] - f32[2,5,1]", "q_num_heads=3 kv_num_heads=3 update_rule='delta'",
      "f32[2,5,3] f32[2,3,2,1]", 47 },
    { "f32[1,7,12] f32[1,7,4] f32[1,7,2] f32[1,2,2,1] f32[1,7,4] f32[1,7,2]",
      "q_num_heads=6 kv_num_heads=2 chunk_size=2", "f32[1,7,6] f32[1,2,2,1]", 63 },
    { "f32[1,4,2] f32[1,4,2] f32[1,4,2] - f32[1,4,1] f32[1,4,1]", "q_num_heads=1 kv_num_heads=1",
      "f32[1,4,2] f32[1,1,2,2]", 55 },
    { "f32[1,3,4] f32[1,3,4] f32[1,3,130] f32[1,1,4,130] f32[1,3,4] f32[1,3,1]", "q_num_heads=1 kv_num_heads=1",
      "f32[1,3,130] f32[1,1,4,130]", 63 },
    { "f32[1,2,40] f32[1,2,4] f32[1,2,3] f32[1,1,4,3]", "q_num_heads=10 kv_num_heads=1 update_rule='linear'",
      "- f32[1,1,4,3]", 14 },
    { "f32[1,2,40] f32[1,2,4] f32[1,2,3] f32[1,1,4,3]", "q_num_heads=10 kv_num_heads=1 update_rule='linear'",
      "f32[1,2,30]", 15 },
    { "f16[2,3,4] f16[2,3,4] f16[2,3,6] f32[2,2,2,3] f16[2,3,2] f16[2,3,2]", "q_num_heads=2 kv_num_heads=2",
      "f16[2,3,6] f32[2,2,2,3]", 0 },
    { "bf16[2,3,4] bf16[2,3,4] bf16[2,3,6]", "q_num_heads=2 kv_num_heads=2 update_rule='linear'",
      "bf16[2,3,6] bf16[2,2,2,3]", 0 },
    { "f32[2,0,4] f32[2,0,4] f32[2,0,6] f32[2,2,2,3] - f32[2,0,2]", "q_num_heads=2 kv_num_heads=2 update_rule='delta'",
      "f32[2,0,6] f32[2,2,2,3]", 0 },
    { 0 },
};

const struct op op_linear_attention = {
    .name = "LinearAttention",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 27,
                                       .signature = "T query, T key, T value, S past_state?, T decay?, T beta? -> T "
                                                    "output, S present_state",
                                       .types = "T: f16 bf16 f32; S: f16 bf16 f32",
                                       .attrs_size = sizeof(struct linear_attention),
                                       .parse = parse,
                                       .rank = rank,
                                       .dtype = dtype,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = gradient,
                                       .cost = cost,
                                       .batch_independent = batch_independent,
                                       .cases = cases },
                                     { 0 } },
};
