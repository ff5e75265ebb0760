/* Optional, https://onnx.ai/onnx/operators/onnx__Optional.html
 *
 * An optional value that holds the input, a tensor or a sequence; or nothing, of the type that `type` tells, where there
 * is no input. The gradient is what the gradient's optional holds. */
#include "ops/rank.h"
#include "ops/sequence.h"

struct maybe {
    struct tensor of; /* what it may hold, where it holds nothing */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct maybe *a = attrs;
    const struct tensor *type = attr_type(p, "type");

    if (!input_given(p, 0) && !type)
        return parse_error(p, "there is neither an input nor attribute 'type', must be one of them");
    if (type && ((type->kind != TENSOR && type->kind != SEQUENCE) ||
                 (type->kind == SEQUENCE && type->element[0].kind != TENSOR)))
        return parse_error(p, "attribute 'type' must be that of a tensor or of a sequence of tensors");
    if (type)
        a->of = *type;
    return true;
}

static enum dtype told(const struct node *n, int k)
{
    (void)k;
    return n->in[0] ? known_input(n, 0).dtype : ((const struct maybe *)n->attrs)->of.dtype;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct maybe *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0), *of = x ? x : &a->of;
    struct sequence *types = sequence_types(i, x != NULL);
    struct tensor *y = typed_out(i, 0);
    char text[2][TYPE_TEXT];

    if (!types)
        return false;
    if (x && a->of.dtype != UNDEFINED && !same_element_type(x, &a->of))
        return infer_error(i, "'input' is %s, must be %s as attribute 'type' says", element_text(x, text[0]),
                           element_text(&a->of, text[1]));
    if (x) {
        types->items[0] = *x;
        types->items[0].data = NULL;
    }
    if (y) {
        *y = optional_of(of);
        y->planned = types;
    }
    return true;
}

/* -- run -- */

static bool run(struct step *s)
{
    struct optional *y = heap_alloc(s->heap, sizeof *y, s->report);

    if (!y)
        return false;
    y->present = s->in[0];
    s->out[0]->data = y;
    return !y->present || heap_copy(s->heap, &y->value, s->in[0], s->report);
}

/* -- differentiate -- */

static bool gradient(struct backward *b)
{
    if (wants(b, 0))
        give(b, 0, emit(emitter_of(b), "OptionalGetElement", "", 1, upstream(b, 0)));
    return backward_ok(b);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f64[2,3]", "{ q = Optional (x0) y0 = OptionalGetElement (q) }", "f64[2,3]", 1 },
    { "f64[2] f64[3] i64[]{1}",
      "{ s = SequenceConstruct (x0, x1) q = Optional (s) t = OptionalGetElement (q) y0 = SequenceAt (t, x2) }",
      "f64[3]", 2 },
    { "", "{ q = Optional <type = float[2]> () y0 = OptionalHasElement (q) }", "bool[]", 0 },
    { "", "{ q = Optional <type = seq(string)> () y0 = OptionalHasElement (q) }", "bool[]", 0 },
    { "f16[0,3]", "", "opt(f16)", 0 },
    { "str[2]", "", "opt(str)", 0 },
    { "seq(i64[2],i64[1])", "", "opt(seq(i64))", 0 },
    { 0 },
};

static const struct op_case cases_28[] = {
    { "f64[2,3]", "{ q = Optional (x0) y0 = OptionalGetElement (q) }", "f64[2,3]", 1 },
    { "bf16[3]", "", "opt(bf16)", 0 },
    { "seq(i4[2])", "", "opt(seq(i4))", 0 },
    { "f6e2m3[0]", "", "opt(f6e2m3)", 0 },
    { 0 },
};

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "V input? -> O output",                                                         \
        .types = "V: " list " seq(" list "); O: opt(" list ") opt(seq(" list "))", .attrs_size = sizeof(struct maybe), \
        .parse = parse, .rank = rank_unknown, .dtype = told, .infer = infer, .run = run, .gradient = gradient,         \
        .flags = OP_RUN_ONLY, .cases = tests                                                                           \
    }

const struct op op_optional = {
    .name = "Optional",
    .domain = "",
    .defs = (const struct op_def[]){ ROW(28, "all bf16 ir14", cases_28), ROW(15, "all", cases), { 0 } },
};
