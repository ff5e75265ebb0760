/* For unary_formula.h: what the rows of a unary operator need. */
static struct numbers numbers_of(const void *attrs)
{
#ifdef NUMBERS
    return *(const struct numbers *)attrs;
#else
    (void)attrs;
    return (struct numbers){ 0 };
#endif
}
#ifdef NUMBERS
#define READER     chain_numbers
#define ATTRS_SIZE sizeof(struct numbers)
#else
#define READER     NULL
#define ATTRS_SIZE 0
#endif

static bool run(struct step *s)
{
    return unary_run(s, &GLUE(formula_, NAME, ), numbers_of(s->attrs));
}

static const struct chain_rule chain = { &GLUE(formula_, NAME, ), 0, CHAIN_NOTHING, READER };

#ifdef SLOPE_OF_X
static emit_slope SLOPE_OF_X; /* what follows in the file */
static bool spell_of_x(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    return unary_spell_out(e, n, in, out, SLOPE_OF_X, numbers_of(n->attrs));
}
#define SPELL_OF_X spell_of_x
#else
#define SPELL_OF_X NULL
#endif
#ifdef SLOPE_OF_Y
static emit_slope SLOPE_OF_Y;
static bool spell_of_y(struct emitter *e, const struct node *n, const struct tensor *const *in, struct value **out)
{
    return unary_spell_out(e, n, in, out, SLOPE_OF_Y, numbers_of(n->attrs));
}
#define SPELL_OF_Y spell_of_y
#else
#define SPELL_OF_Y NULL
#endif

#ifdef DX_OF_X
static bool run_of_x(struct step *s)
{
    return unary_grad_run(s, &GLUE(formula_, NAME, _of_x), numbers_of(s->attrs));
}

static const struct chain_rule chain_of_x = { &GLUE(formula_, NAME, _of_x), 1, 0, READER };

static const struct op grad_of_x = {
#ifdef DX_OF_Y
    .name = OPERATOR "GradOfX",
#else
    .name = OPERATOR "Grad",
#endif
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(ATTRS_SIZE, run_of_x, &chain_of_x, SPELL_OF_X), { 0 } },
};
#endif

#ifdef DX_OF_Y
static bool run_of_y(struct step *s)
{
    return unary_grad_run(s, &GLUE(formula_, NAME, _of_y), numbers_of(s->attrs));
}

static const struct chain_rule chain_of_y = { &GLUE(formula_, NAME, _of_y), 1, 0, READER };

static const struct op grad_of_y = {
    .name = OPERATOR "Grad",
    .domain = "kiln",
    .defs = (const struct op_def[]){ UNARY_GRAD_ROW(ATTRS_SIZE, run_of_y, &chain_of_y, SPELL_OF_Y), { 0 } },
};
#endif

#if defined(DX_OF_X) && defined(DX_OF_Y)
static bool gradient(struct backward *b)
{
    const struct numbers of = numbers_of(attrs_of(b));
    const float alpha = of.alpha, beta = of.beta;

    (void)alpha;
    (void)beta;
    return Y_TELLS ? unary_gradient(b, &grad_of_y, forward_out(b, 0)) : unary_gradient(b, &grad_of_x, forward_in(b, 0));
}
#elif defined(DX_OF_Y)
static bool gradient(struct backward *b)
{
    return unary_gradient(b, &grad_of_y, forward_out(b, 0));
}
#elif defined(DX_OF_X)
static bool gradient(struct backward *b)
{
    return unary_gradient(b, &grad_of_x, forward_in(b, 0));
}
#endif
#undef SPELL_OF_X
#undef SPELL_OF_Y
#undef READER
#undef ATTRS_SIZE
