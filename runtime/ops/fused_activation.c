#include "ops/fused_activation.h"
#include <stdio.h>

enum { CLIP = 1, ATTRS = 96 };

static const char *const names[] = { "",         "Clip",     "Relu", "Tanh",      "Sigmoid",         "Silu",
                                     "Softplus", "Softsign", "Elu",  "LeakyRelu", "ThresholdedRelu", "HardSigmoid",
                                     "Selu",     NULL };

/* By kind: the standard's operator, and what its numbers are called. */
static const struct {
    const char *op;
    const char *number[FUSED_NUMBERS];
} standard[] = {
    { "", { NULL } },
    { "Clip", { "min", "max" } },
    { "Relu", { NULL } },
    { "Tanh", { NULL } },
    { "Sigmoid", { NULL } },
    { "Swish", { NULL } },
    { "Softplus", { NULL } },
    { "Softsign", { NULL } },
    { "Elu", { "alpha", NULL } },
    { "LeakyRelu", { "alpha", NULL } },
    { "ThresholdedRelu", { "alpha", NULL } },
    { "HardSigmoid", { "alpha", "beta" } },
    { "Selu", { "alpha", "gamma" } },
};

bool fused_activation_parse(struct parse *p, struct fused_activation *a, int *numbers)
{
    a->kind = attr_choice(p, "activation", names, 0);
    *numbers = 0;
    while (a->kind >= 0 && *numbers < FUSED_NUMBERS && standard[a->kind].number[*numbers])
        ++*numbers;
    return a->kind >= 0;
}

static struct value *bound(struct emitter *e, float v, struct value *x)
{
    return emit(e, "CastLike", "", 2, emit_scalar(e, F32, (double)v), x);
}

struct value *emit_fused_activation(struct emitter *e, const struct fused_activation *a, struct value *x)
{
    char attrs[ATTRS] = "";
    size_t length = 0;

    if (!a->kind)
        return x;
    if (a->kind == CLIP)
        return emit(e, "Clip", "", 3, x, bound(e, a->number[0], x), bound(e, a->number[1], x));
    for (int k = 0; k < FUSED_NUMBERS && standard[a->kind].number[k]; k++)
        length += (size_t)snprintf(attrs + length, sizeof attrs - length, "%s=%.9e ", standard[a->kind].number[k],
                                   (double)a->number[k]);
    return emit(e, standard[a->kind].op, attrs, 1, x);
}
