#include "adapt/expression.h"
#include "data/element.h"
#include "ops/registry.h"
#include <math.h>

const struct value *expression_root(const struct value *v)
{
    while (v->producer && v->producer->in[0] &&
           (v->producer->def->flags & OP_REARRANGES || node_is(v->producer, &op_cast)))
        v = v->producer->in[0];
    return v;
}

static const struct node *made_by(const struct value *v, const struct op *op)
{
    const struct node *n = expression_root(v)->producer;

    return n && node_is(n, op) && n->in[0] && (n->inputs < 2 || n->in[1]) ? n : NULL;
}

static bool number(const struct search *s, const struct value *v, double *out)
{
    const struct tensor *t = search_type(s, v);

    if (!t->data || tensor_count(t) != 1 || !dtype_is_float(t->dtype))
        return false;
    *out = element_getter(t->dtype)(t->data, 0);
    return true;
}

static bool is_number(const struct search *s, const struct value *v, double want)
{
    double x;

    return number(s, v, &x) && fabs(x - want) < 1e-12;
}

/* variance + epsilon */
static bool sum_expression(const struct search *s, const struct value *v, struct factor_expression *out)
{
    const struct node *n = made_by(v, &op_add);

    for (int k = 0; n && k < 2; k++)
        if (number(s, n->in[k], &out->epsilon) && out->epsilon > 0 && out->epsilon < 1) {
            out->variance = n->in[1 - k];
            return true;
        }
    return false;
}

bool deviation_expression(const struct search *s, const struct value *v, struct factor_expression *out)
{
    const struct node *n = made_by(v, &op_sqrt);

    if (n)
        return sum_expression(s, n->in[0], out);
    n = made_by(v, &op_pow);
    return n && is_number(s, n->in[1], .5) && sum_expression(s, n->in[0], out);
}

/* 1 / sqrt(variance + epsilon) */
static bool inverse_expression(const struct search *s, const struct value *v, struct factor_expression *out)
{
    const struct node *n = made_by(v, &op_reciprocal);

    if (n)
        return deviation_expression(s, n->in[0], out);
    n = made_by(v, &op_div);
    if (n)
        return is_number(s, n->in[0], 1) && deviation_expression(s, n->in[1], out);
    n = made_by(v, &op_pow);
    return n && is_number(s, n->in[1], -.5) && sum_expression(s, n->in[0], out);
}

bool factor_expression(const struct search *s, const struct value *v, struct factor_expression *out)
{
    const struct node *n = made_by(v, &op_mul);

    *out = (struct factor_expression){ 0 };
    for (int k = 0; n && k < 2; k++)
        if (inverse_expression(s, n->in[k], out)) {
            out->gamma = n->in[1 - k];
            return true;
        }
    if (inverse_expression(s, v, out))
        return true;
    n = made_by(v, &op_div);
    if (!n || !deviation_expression(s, n->in[1], out))
        return false;
    out->gamma = n->in[0];
    return true;
}

/* mean * factor, or -mean * factor: *negative. */
static bool product_expression(const struct value *v, const struct value *factor, const struct value **mean,
                               bool *negative)
{
    const struct node *n = made_by(v, &op_neg), *inner;

    *negative = n != NULL;
    n = made_by(n ? n->in[0] : v, &op_mul);
    for (int k = 0; n && k < 2; k++)
        if (expression_root(n->in[k]) == expression_root(factor)) {
            inner = made_by(n->in[1 - k], &op_neg);
            *negative = *negative != (inner != NULL);
            *mean = inner ? inner->in[0] : n->in[1 - k];
            return true;
        }
    return false;
}

bool summand_expression(const struct value *v, const struct value *factor, const struct value **beta,
                        const struct value **mean)
{
    const struct node *n = made_by(v, &op_sub);
    bool negative;

    *beta = NULL;
    if (n) {
        *beta = n->in[0];
        return product_expression(n->in[1], factor, mean, &negative) && !negative;
    }
    n = made_by(v, &op_add);
    for (int k = 0; n && k < 2; k++)
        if (product_expression(n->in[k], factor, mean, &negative) && negative) {
            *beta = n->in[1 - k];
            return true;
        }
    return !n && product_expression(v, factor, mean, &negative) && negative;
}
