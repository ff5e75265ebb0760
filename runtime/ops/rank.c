#include "ops/rank.h"
#include "ops/constant.h"
#include "ops/registry.h"
#include "ops/signature.h"

static const struct known nothing = { UNKNOWN, UNDEFINED };

struct known known_of(const struct value *v)
{
    const struct tensor *t = v->initializer ? v->initializer : v->is_input && v->has_type ? &v->type : NULL;

    return !t ? v->known : t->kind == TENSOR ? (struct known){ t->rank, t->dtype } : nothing;
}

struct known known_input(const struct node *n, int k)
{
    return k < n->inputs && n->in[k] ? known_of(n->in[k]) : nothing;
}

/* What an initializer or a Constant holds. */
static const struct tensor *held(const struct value *v)
{
    if (v && v->producer && node_is(v->producer, &op_constant))
        return &((const struct constant *)v->producer->attrs)->value;
    return value_constant(v);
}

int known_length(const struct node *n, int k)
{
    const struct tensor *t = k < n->inputs ? held(n->in[k]) : NULL;

    return t && t->rank <= 1 && tensor_count(t) <= MAX_RANK ? (int)tensor_count(t) : UNKNOWN;
}

int rank_of_input(const struct node *n, int k)
{
    (void)k;
    return known_input(n, 0).rank;
}

int rank_of_broadcast(const struct node *n, int k)
{
    int highest = 0;

    (void)k;
    for (int i = 0; i < n->inputs; i++) {
        const int rank = n->in[i] ? known_of(n->in[i]).rank : 0;

        if (rank < 0)
            return UNKNOWN;
        highest = rank > highest ? rank : highest;
    }
    return highest;
}

int rank_of_window(const struct node *n, int k)
{
    const int rank = known_input(n, 1).rank;

    return rank < 0 ? rank_of_input(n, k) : rank;
}

int rank_of_scalar(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 0;
}

int rank_of_vector(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 1;
}

int rank_of_matrix(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return 2;
}

int rank_of_shape_0(const struct node *n, int k)
{
    (void)k;
    return known_length(n, 0);
}

int rank_of_shape_1(const struct node *n, int k)
{
    (void)k;
    return known_length(n, 1);
}

int rank_unknown(const struct node *n, int k)
{
    (void)n;
    (void)k;
    return UNKNOWN;
}

/* The only one of a set, or UNDEFINED. */
static enum dtype only_type(const struct type_set *set)
{
    const bool tensors = !set->kinds;

    for (int d = 1; tensors && d < DTYPES; d++)
        if (set->tensor == UINT64_C(1) << d)
            return (enum dtype)d;
    return UNDEFINED;
}

/* That of an input of the same type variable. */
static enum dtype type_of(const struct node *n, int k)
{
    const struct formal *out;
    enum dtype dtype;
    struct signature s;

    dtype = n->def->dtype ? n->def->dtype(n, k) : UNDEFINED;
    if (dtype != UNDEFINED || !signature_read(&s, n->def))
        return dtype;
    out = signature_out(&s, k);
    if (!out || out->any)
        return UNDEFINED;
    dtype = only_type(&s.var[out->var].set);
    for (int i = 0; i < n->inputs && dtype == UNDEFINED; i++) {
        const struct formal *in = signature_in(&s, i);

        if (in && !in->any && in->var == out->var)
            dtype = known_input(n, i).dtype;
    }
    return dtype;
}

void know_outputs(const struct node *n)
{
    const struct op_def *d = n->def;

    for (int k = 0; k < n->slots; k++) {
        struct known *known = n->out[k] ? &n->out[k]->known : NULL;

        if (known && known->rank < 0)
            known->rank = d->rank ? d->rank(n, k) : d->flags & OP_ELEMENTWISE ? rank_of_broadcast(n, k) : UNKNOWN;
        if (known && known->dtype == UNDEFINED)
            known->dtype = type_of(n, k);
    }
}
