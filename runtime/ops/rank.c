#include "ops/rank.h"
#include "ops/signature.h"

static const struct known nothing = { UNKNOWN, UNDEFINED };

struct known known_input(const struct node *n, int k, const struct known *known)
{
    return k < n->inputs && n->in[k] ? known[n->in[k]->id] : nothing;
}

int known_length(const struct node *n, int k)
{
    const struct tensor *t = k < n->inputs ? value_constant(n->in[k]) : NULL;

    return t && t->rank <= 1 && tensor_count(t) <= MAX_RANK ? (int)tensor_count(t) : UNKNOWN;
}

int rank_of_input(const struct node *n, int k, const struct known *known)
{
    (void)k;
    return known_input(n, 0, known).rank;
}

int rank_of_broadcast(const struct node *n, int k, const struct known *known)
{
    int highest = 0;

    (void)k;
    for (int i = 0; i < n->inputs; i++) {
        const int rank = n->in[i] ? known[n->in[i]->id].rank : 0;

        if (rank < 0)
            return UNKNOWN;
        highest = rank > highest ? rank : highest;
    }
    return highest;
}

int rank_of_window(const struct node *n, int k, const struct known *known)
{
    const int rank = known_input(n, 1, known).rank;

    return rank < 0 ? rank_of_input(n, k, known) : rank;
}

int rank_of_vector(const struct node *n, int k, const struct known *known)
{
    (void)n;
    (void)k;
    (void)known;
    return 1;
}

int rank_of_matrix(const struct node *n, int k, const struct known *known)
{
    (void)n;
    (void)k;
    (void)known;
    return 2;
}

int rank_of_shape_0(const struct node *n, int k, const struct known *known)
{
    (void)k;
    (void)known;
    return known_length(n, 0);
}

int rank_of_shape_1(const struct node *n, int k, const struct known *known)
{
    (void)k;
    (void)known;
    return known_length(n, 1);
}

int rank_unknown(const struct node *n, int k, const struct known *known)
{
    (void)n;
    (void)k;
    (void)known;
    return UNKNOWN;
}

/* The only one of a set, or UNDEFINED. */
static enum dtype only_type(const struct type_set *set)
{
    const bool tensors = !set->sequence && !set->optional && !set->optional_sequence;

    for (int d = 1; tensors && d < DTYPES; d++)
        if (set->tensor == UINT64_C(1) << d)
            return (enum dtype)d;
    return UNDEFINED;
}

/* That of an input of the same type variable. */
static enum dtype type_of(const struct node *n, int k, const struct known *known)
{
    const struct formal *out;
    enum dtype dtype;
    struct signature s;

    if (!signature_read(&s, n->def))
        return UNDEFINED;
    out = signature_out(&s, k);
    if (!out || out->any)
        return UNDEFINED;
    dtype = only_type(&s.var[out->var].set);
    for (int i = 0; i < n->inputs && dtype == UNDEFINED; i++) {
        const struct formal *in = signature_in(&s, i);

        if (in && !in->any && in->var == out->var)
            dtype = known_input(n, i, known).dtype;
    }
    return dtype;
}

struct known known_output(const struct node *n, int k, const struct known *known)
{
    if (!n->def)
        return nothing;
    return (struct known){ n->def->rank                     ? n->def->rank(n, k, known)
                           : n->def->flags & OP_ELEMENTWISE ? rank_of_broadcast(n, k, known)
                                                            : UNKNOWN,
                           type_of(n, k, known) };
}
