#include "plan/given.h"
#include "plan/planner.h"
#include <string.h>

bool infer_begin(struct infer *i, struct planner *p, const struct node *n)
{
    const size_t inputs = (size_t)(n->inputs + n->captured), slots = (size_t)n->slots;
    struct report *r = p->c->report;

    *i = (struct infer){ .planner = p, .node = n };
    i->in = arena_array(&p->scratch, inputs, sizeof *i->in, r);
    i->out = arena_array(&p->scratch, slots, sizeof *i->out, r);
    i->known = arena_array(&p->scratch, slots, sizeof *i->known, r);
    i->links = arena_array(&p->scratch, slots, sizeof *i->links, r);
    i->next_states = arena_array(&p->scratch, slots, sizeof *i->next_states, r);
    if (!i->in || !i->out || !i->known || !i->links || !i->next_states)
        return false;
    for (size_t k = 0; k < inputs; k++)
        i->in[k] = n->in[k] ? &p->program->types[n->in[k]->id] : NULL;
    for (size_t k = 0; k < slots; k++) { /* who asks for types may ask for those of outputs that nobody reads */
        const bool asked = n->out[k] && (p->program->types_only || p->readers[n->out[k]->id]);

        i->out[k] = asked ? &p->program->types[n->out[k]->id] : NULL;
        i->links[k].id = i->links[k].other = i->next_states[k] = -1;
    }
    return true;
}

const void *infer_attrs(const struct infer *i)
{
    return i->node->attrs;
}

int infer_inputs(const struct infer *i)
{
    return i->node->inputs;
}

int infer_outputs(const struct infer *i)
{
    return i->node->slots - i->node->def->hidden;
}

int infer_threads(const struct infer *i)
{
    return i->planner->c->threads;
}

const struct tensor *typed_in(const struct infer *i, int k)
{
    return k >= 0 && k < i->node->inputs ? i->in[k] : NULL;
}

struct tensor *typed_out(struct infer *i, int k)
{
    return k >= 0 && k < i->node->slots ? i->out[k] : NULL;
}

bool infer_error(struct infer *i, const char *format, ...)
{
    char where[WHERE_TEXT];
    va_list args;

    i->failed = true;
    va_start(args, format);
    fail_v(i->planner->c->report, KILN_BAD_MODEL, node_where(i->node, where), format, args);
    va_end(args);
    return false;
}

bool axis_error(struct infer *i, int64_t axis, int rank)
{
    return rank ? infer_error(i, "axis is %lld, must be in [%d, %d]", (long long)axis, -rank, rank - 1)
                : infer_error(i, "axis is %lld, and a scalar has no dimension", (long long)axis);
}

bool set_out(struct infer *i, int k, enum dtype dtype, int rank, const int64_t *dims)
{
    struct tensor *t = typed_out(i, k);

    if (!t || tensor_shape(t, dtype, rank, dims))
        return true;
    if (rank > MAX_RANK)
        return infer_error(i, "output %d would have %d dimensions, at most %d are supported", k, rank, (int)MAX_RANK);
    return infer_error(i, "output %d would have more bytes than can be counted", k);
}

bool known_in(struct infer *i, int k)
{
    const struct tensor *t = typed_in(i, k);

    if (!t)
        return false;
    if (t->kind != TENSOR)
        return infer_error(i, "input %d is not a tensor, planning cannot look into it", k);
    if (t->data || tensor_count(t) == 0 || look_at(i->planner, i->node->in[k]->id))
        return true;
    i->planner->wanted[i->node->in[k]->id] = true;
    i->waits = true;
    return false;
}

bool ints_in(struct infer *i, int k, struct ints *out)
{
    const struct tensor *t = typed_in(i, k);

    out->count = 0;
    if (!t)
        return true;
    if (t->rank > 1 || (t->dtype != I64 && t->dtype != I32))
        return infer_error(i, "input %d has rank %d and type %s, must be a vector of int64", k, t->rank,
                           dtype_name(t->dtype));
    if (tensor_count(t) > (int64_t)(sizeof out->v / sizeof *out->v))
        return infer_error(i, "input %d has %lld values, at most %zu are supported", k, (long long)tensor_count(t),
                           sizeof out->v / sizeof *out->v);
    if (!known_in(i, k))
        return false;
    out->count = (int)tensor_count(t);
    for (int n = 0; n < out->count; n++)
        out->v[n] = t->dtype == I64 ? ((const int64_t *)t->data)[n] : ((const int32_t *)t->data)[n];
    return true;
}

void *known_out(struct infer *i, int k)
{
    struct tensor *t = typed_out(i, k);
    int64_t bytes;

    if (!t)
        return NULL;
    bytes = tensor_bytes(t);
    t->data = bytes < 0 ? NULL : arena_alloc(&i->planner->program->arena, (size_t)bytes, i->planner->c->report);
    if (!t->data)
        i->failed = true;
    i->known[k] = true;
    return t->data;
}

void *infer_alloc(struct infer *i, size_t bytes)
{
    void *p = arena_alloc(&i->planner->scratch, bytes, i->planner->c->report);

    if (!p)
        i->failed = true;
    return p;
}

void need_scratch(struct infer *i, size_t bytes)
{
    if (bytes > PTRDIFF_MAX / 4)
        infer_error(i, "%zu bytes of working memory are more than can be addressed", bytes);
    else
        i->scratch = (int64_t)bytes;
}

void *infer_plan(struct infer *i, size_t bytes)
{
    i->plan = arena_alloc(&i->planner->program->arena, bytes, i->planner->c->report);
    if (!i->plan)
        i->failed = true;
    return i->plan;
}

const struct kernels *infer_kernels(const struct infer *i)
{
    return i->planner->c->kernels;
}

bool infer_exact(const struct infer *i)
{
    return i->planner->c->exact;
}

void keep_prepared_input(struct infer *i, int k)
{
    i->preparations[k].keeps_input = true;
}

bool need_prepared(struct infer *i, int k, size_t bytes, prepare *make, const void *key, size_t key_bytes)
{
    return need_prepared_keyed(i, k, bytes, make, key, key_bytes, key_bytes);
}

bool need_prepared_keyed(struct infer *i, int k, size_t bytes, prepare *make, const void *data, size_t data_bytes,
                         size_t key_bytes)
{
    const struct value *v = i->node->in[k];
    void *copy;

    if (!v || !v->initializer || v->trains || v->is_input || i->planner->program->types_only)
        return false;
    copy = arena_alloc(&i->planner->program->arena, data_bytes, i->planner->c->report);
    if (!i->preparations)
        i->preparations = arena_array(&i->planner->program->arena, (size_t)i->node->inputs, sizeof *i->preparations,
                                      i->planner->c->report);
    if (!copy || !i->preparations) {
        i->failed = true;
        return false;
    }
    memcpy(copy, data, data_bytes);
    i->preparations[k] = (struct preparation){ v->initializer, make, copy, data_bytes, key_bytes, bytes, false };
    return true;
}

static void link_out(struct infer *i, int out, int in, struct link link)
{
    if (out < 0 || out >= i->node->slots || !i->out[out] || in < 0 || in >= i->node->inputs || !i->in[in])
        return;
    link.id = i->node->in[in]->id;
    link.other = -1;
    if (i->links[out].id < 0 || link.view || link.updates)
        i->links[out] = link;
    else if (!i->links[out].view && !i->links[out].updates)
        i->links[out].other = link.id;
}

void may_reuse(struct infer *i, int out, int in)
{
    link_out(i, out, in, (struct link){ 0 });
}

void view_of(struct infer *i, int out, int in)
{
    link_out(i, out, in, (struct link){ .view = true });
}

void updates(struct infer *i, int out, int in)
{
    if (typed_in(i, in) && typed_in(i, in)->data) {
        infer_error(i, "input %d is a constant, it cannot be updated", in);
        return;
    }
    link_out(i, out, in, (struct link){ .updates = true });
    if (typed_out(i, out))
        i->next_states[out] = in;
}

void next_state(struct infer *i, int out, int in)
{
    if (typed_out(i, out) && typed_in(i, in))
        i->next_states[out] = in;
}

/* What the subgraph sees: its inputs, and what it captures, whose content is known there where it is known here. Of
 * inputs it is known where they have data. */
static struct program *subgraph_types(struct infer *i, const struct graph *sub, const struct tensor *inputs,
                                      struct report *r)
{
    struct planner *p = i->planner;
    const struct plan_context c = {
        .kernels = p->c->kernels, .threads = p->c->threads, .budget = p->c->budget, .report = r, .exact = p->c->exact
    };
    struct tensor *tensors = given_types(sub, &p->scratch, r);
    bool *content = arena_array(&p->scratch, sub->value_count, sizeof *content, r);

    if (!tensors || !content)
        return NULL;
    for (size_t k = 0; k < sub->input_count; k++) {
        const int id = sub->inputs[k]->id;

        tensors[id] = inputs[k];
        tensors[id].planned = NULL; /* the next turn of a loop may bring other items */
        content[id] = inputs[k].kind == TENSOR && inputs[k].data;
    }
    given_captures(sub, p->program->types, tensors, content);
    return plan_types(sub, tensors, content, &c);
}

/* What was planned of subgraph g last is what the program keeps. */
static bool keep_body(struct infer *i, int g, struct program *types)
{
    struct program *around = i->planner->program;
    struct body *b = around->bodies;

    while (b && !(b->node == i->node && b->graph == g))
        b = b->next;
    if (!b) {
        b = arena_alloc(&around->arena, sizeof *b, i->planner->c->report);
        if (!b) {
            program_free(types);
            return false;
        }
        *b = (struct body){ .node = i->node, .graph = g, .next = around->bodies };
        around->bodies = b;
    }
    program_free(b->program);
    b->program = types;
    return true;
}

/* What is known of an output of a subgraph that cannot be planned: what the file says of it, but for the shape. */
static struct tensor declared_type(const struct value *v)
{
    struct tensor t = v->has_type ? v->type : (struct tensor){ 0 };

    t.rank = UNKNOWN;
    t.data = NULL;
    return t;
}

/* Subgraphs nest no deeper than the loader allows, so this may recurse (through plan_types, infer, infer_graph). */
bool infer_graph(struct infer *i, int g, const struct tensor *inputs, struct tensor *outputs)
{
    const struct graph *sub = i->node->graph_of[g];
    struct report quiet = { 0 }, *r = i->planner->c->report;
    struct program *types = subgraph_types(i, sub, inputs, &quiet);

    if (!types && (quiet.error.code == KILN_NO_MEMORY || quiet.error.code == KILN_LIMIT)) {
        i->failed = !fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
        return false;
    }
    for (size_t k = 0; k < sub->output_count; k++) {
        const struct value *v = sub->outputs[k];

        outputs[k] = types ? types->types[v->id] : declared_type(v);
        outputs[k].data = NULL;
        outputs[k].planned = NULL; /* ends with the types */
        if (outputs[k].kind == TENSOR && outputs[k].dtype == UNDEFINED)
            outputs[k] = declared_type(v);
    }
    if (!types || keep_body(i, g, types))
        return true;
    i->failed = true;
    return false;
}

static bool copy_known(struct infer *i, struct tensor *t)
{
    const void *from = t->data;
    const int64_t bytes = from && t->kind == TENSOR && t->dtype != STRING ? tensor_bytes(t) : -1;

    t->planned = NULL;
    t->data = NULL;
    if (bytes < 0)
        return true;
    t->data = infer_alloc(i, to_size(bytes));
    if (t->data && bytes)
        memcpy(t->data, from, to_size(bytes));
    return t->data;
}

/* The same subgraph with fewer outputs: planning looks at nothing but what they need. */
bool infer_values(struct infer *i, int g, const bool *want, const struct tensor *inputs, struct tensor *outputs)
{
    struct graph sub = *i->node->graph_of[g];
    struct value **asked = infer_alloc(i, sub.output_count * sizeof *asked);
    struct report quiet = { 0 };
    const size_t count = sub.output_count;
    struct program *types;
    bool ok = true;

    if (!asked)
        return false;
    sub.output_count = 0;
    for (size_t k = 0; k < count; k++)
        if (want[k])
            asked[sub.output_count++] = sub.outputs[k];
    sub.outputs = asked;
    types = subgraph_types(i, &sub, inputs, &quiet);
    if (!types && (quiet.error.code == KILN_NO_MEMORY || quiet.error.code == KILN_LIMIT))
        return !(i->failed =
                     !fail(i->planner->c->report, quiet.error.code, quiet.error.where, "%s", quiet.error.message));
    for (size_t k = 0; k < count && ok; k++) {
        outputs[k] = types && want[k] ? types->types[i->node->graph_of[g]->outputs[k]->id] : (struct tensor){ 0 };
        ok = copy_known(i, &outputs[k]);
    }
    program_free(types);
    return ok;
}
