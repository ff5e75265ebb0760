#include "ops/descent.h"
#include "ops/rank.h"

enum { RATE, STEP, VALUES }; /* inputs; each value has its gradient and its states */

bool descent_parse(struct parse *p, int states)
{
    const struct node *n = parse_node(p);
    const int each = 2 + states, count = (n->inputs - VALUES) / each, outputs = outputs_written(p);

    if (n->inputs <= VALUES || (n->inputs - VALUES) % each)
        return parse_error(p, "%d inputs, must have 2 and then %d for each value", n->inputs, each);
    for (int k = RATE; k < n->inputs; k++)
        if (!input_given(p, k))
            return parse_error(p, "input %d is left out", k);
    return outputs <= count * (1 + states) ||
           parse_error(p, "%d outputs, must have %d for each of %d values", outputs, 1 + states, count);
}

struct value *descent_number(struct descent *d, double v)
{
    const enum dtype dtype = d->x ? known_of(d->x).dtype : UNDEFINED;

    if (dtype != UNDEFINED)
        return emit_scalar(d->e, dtype, v);
    return emit(d->e, "CastLike", "", 2, emit_scalar(d->e, F64, v), d->x);
}

void descent_regularize(struct descent *d, float norm)
{
    if (norm != 0)
        d->g = emit(d->e, "Add", "", 2, descent_times(d, d->x, (double)norm), d->g);
}

bool descent_expand(struct emitter *e, const struct node *n, struct value **out, int states, descent_rate *rate,
                    descent_formula *formula)
{
    const int count = (n->inputs - VALUES) / (2 + states);
    struct value *const *const in = n->in + VALUES;
    struct value *const step = emit_cast(e, n->in[STEP], F64);
    struct value *const all = rate(e, emit_cast(e, n->in[RATE], F64), step, n->attrs);

    for (int k = 0; k < count && !e->failed; k++) {
        struct descent d = { .e = e, .x = in[k], .g = in[count + k], .step = step };

        for (int s = 0; s < states; s++)
            d.state[s] = in[(2 + s) * count + k];
        d.rate = emit(e, "CastLike", "", 2, all, d.x);
        formula(&d, n->attrs);
        if (k < n->slots)
            out[k] = d.new_x;
        for (int s = 0; s < states; s++)
            if ((1 + s) * count + k < n->slots)
                out[(1 + s) * count + k] = d.new_state[s];
    }
    return !e->failed;
}
