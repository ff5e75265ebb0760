#include "ops/channel_shuffle.h"
#include "ops/reduce.h"
#include "plan/pass.h"
#include <string.h>

/* What is known of an operator's first output: */
enum rule {
    LIKE,      /* rank and type of input 0 */
    RANK,      /* rank of input 0 */
    PAIR,      /* all inputs broadcast, type of input 0 */
    COMPARE,   /* all inputs broadcast, bool */
    SELECT,    /* all inputs broadcast, type of input 1 */
    SLIDE,     /* rank and type of input 0 or, where that is not known, of the weights */
    MATRIX,    /* a matrix of the type of input 0 */
    IMAGES,    /* four dimensions of the type of input 0 */
    PRODUCT,   /* the higher rank of two, where both are at least matrices */
    RESHAPED,  /* as many dimensions as the shape has values */
    REDUCED,   /* less what is reduced */
    DIMENSIONS /* a vector of int64 */
};

static const struct rule_of {
    const char *name;
    enum rule rule;
    bool elementwise;
} rules[] = {
    { "Add", PAIR, true },
    { "And", COMPARE, true },
    { "AveragePool", LIKE, false },
    { "BatchNormalization", LIKE, false },
    { "Cast", RANK, true },
    { "ChannelShuffle", IMAGES, false },
    { "Clip", LIKE, true },
    { "Concat", LIKE, false },
    { "Conv", SLIDE, false },
    { "ConvTranspose", SLIDE, false },
    { "Div", PAIR, true },
    { "Dropout", LIKE, true },
    { "Elu", LIKE, true },
    { "Equal", COMPARE, true },
    { "Erf", LIKE, true },
    { "Exp", LIKE, true },
    { "Flatten", MATRIX, false },
    { "Gelu", LIKE, true },
    { "Gemm", MATRIX, false },
    { "GlobalAveragePool", LIKE, false },
    { "GlobalMaxPool", LIKE, false },
    { "HardSigmoid", LIKE, true },
    { "Identity", LIKE, true },
    { "LRN", LIKE, false },
    { "LeakyRelu", LIKE, true },
    { "Less", COMPARE, true },
    { "Log", LIKE, true },
    { "LogSoftmax", LIKE, false },
    { "MatMul", PRODUCT, false },
    { "Max", PAIR, true },
    { "MaxPool", LIKE, false },
    { "Min", PAIR, true },
    { "Mul", PAIR, true },
    { "Neg", LIKE, true },
    { "Not", LIKE, true },
    { "PRelu", PAIR, true },
    { "Pad", LIKE, false },
    { "Pow", PAIR, true },
    { "Reciprocal", LIKE, true },
    { "ReduceMax", REDUCED, false },
    { "ReduceMean", REDUCED, false },
    { "ReduceProd", REDUCED, false },
    { "ReduceSum", REDUCED, false },
    { "Relu", LIKE, true },
    { "Reshape", RESHAPED, false },
    { "Resize", LIKE, false },
    { "Selu", LIKE, true },
    { "Shape", DIMENSIONS, false },
    { "Sigmoid", LIKE, true },
    { "Slice", LIKE, false },
    { "Softmax", LIKE, false },
    { "Softplus", LIKE, true },
    { "Softsign", LIKE, true },
    { "Split", LIKE, false },
    { "Sqrt", LIKE, true },
    { "Sub", PAIR, true },
    { "Sum", PAIR, true },
    { "Tanh", LIKE, true },
    { "Tile", LIKE, false },
    { "Transpose", LIKE, false },
    { "Where", SELECT, true },
};

static const struct rule_of *rule_of(const struct node *n)
{
    const bool known = n->op && (!*n->op->domain || n->op == &channel_shuffle_op);

    for (size_t k = 0; known && k < sizeof rules / sizeof *rules; k++)
        if (strcmp(n->op->name, rules[k].name) == 0)
            return &rules[k];
    return NULL;
}

bool pass_elementwise(const struct node *n)
{
    const struct rule_of *rule = rule_of(n);

    return rule && rule->elementwise;
}

static const struct known nothing = { UNKNOWN, UNDEFINED };

struct known pass_given(const struct value *v, const struct tensor *given)
{
    const struct tensor *t = given && given->rank >= 0    ? given
                             : v->initializer             ? v->initializer
                             : v->is_input && v->has_type ? &v->type
                                                          : NULL;

    return t && t->kind == TENSOR ? (struct known){ t->rank, t->dtype } : nothing;
}

static struct known input(const struct node *n, int k, const struct known *known)
{
    return k < n->inputs && n->in[k] ? known[n->in[k]->id] : nothing;
}

static int highest(const struct node *n, const struct known *known)
{
    int rank = 0;

    for (int k = 0; k < n->inputs; k++) {
        if (n->in[k] && known[n->in[k]->id].rank < 0)
            return UNKNOWN;
        if (n->in[k] && known[n->in[k]->id].rank > rank)
            rank = known[n->in[k]->id].rank;
    }
    return rank;
}

/* With keepdims 0 as many dimensions go as there are axes. */
static int reduced_rank(const struct node *n, int rank)
{
    const struct reduce_attrs *a = n->attrs;
    const struct tensor *axes = n->inputs > REDUCE_AXES ? value_constant(n->in[REDUCE_AXES]) : NULL;

    if (a->keepdims || rank < 0)
        return rank;
    if (n->inputs > REDUCE_AXES && n->in[REDUCE_AXES] && !axes)
        return UNKNOWN;
    if (!axes || !tensor_count(axes))
        return a->noop ? rank : 0;
    return tensor_count(axes) <= rank ? rank - (int)tensor_count(axes) : UNKNOWN;
}

static struct known first_output(const struct node *n, enum rule rule, const struct known *known)
{
    struct known y = input(n, 0, known);
    const struct known second = input(n, 1, known);
    const struct tensor *shape;

    switch (rule) {
    case LIKE:
        break;
    case RANK:
        y.dtype = UNDEFINED;
        break;
    case PAIR:
        y.rank = highest(n, known);
        break;
    case COMPARE:
        y = (struct known){ highest(n, known), BOOL };
        break;
    case SELECT:
        y = (struct known){ highest(n, known), second.dtype };
        break;
    case SLIDE:
        y.rank = second.rank < 0 ? y.rank : second.rank;
        y.dtype = second.dtype == UNDEFINED ? y.dtype : second.dtype;
        break;
    case MATRIX:
        y.rank = 2;
        break;
    case IMAGES:
        y.rank = 4;
        break;
    case PRODUCT:
        y.rank = y.rank < 2 || second.rank < 2 ? UNKNOWN : y.rank > second.rank ? y.rank : second.rank;
        break;
    case RESHAPED:
        shape = n->inputs > 1 ? value_constant(n->in[1]) : NULL;
        y.rank = shape && tensor_count(shape) <= MAX_RANK ? (int)tensor_count(shape) : UNKNOWN;
        break;
    case REDUCED:
        y.rank = reduced_rank(n, y.rank);
        break;
    case DIMENSIONS:
        y = (struct known){ 1, I64 };
        break;
    }
    return y;
}

void pass_know(const struct node *n, struct known *known)
{
    const struct rule_of *rule = rule_of(n);
    const struct known y = rule ? first_output(n, rule->rule, known) : nothing;

    for (int k = 0; k < n->slots; k++)
        if (n->out[k] && known[n->out[k]->id].rank < 0)
            known[n->out[k]->id] = k == 0 || pass_is(n, "Split") ? y : nothing;
}
