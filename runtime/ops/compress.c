/* Compress, https://onnx.ai/onnx/operators/onnx__Compress.html
 *
 * The slices along `axis` (or the elements of the flattened input, where it is left out) whose condition is true, in
 * their order. A condition that is shorter leaves out what is behind its end; what of it is longer is not looked at.
 *
 * It is a Gather by the places where the condition is true; so is its gradient. */
#include "ops/op.h"
#include <stdio.h>

enum { INPUT, CONDITION }; /* inputs */

struct compress {
    bool whole; /* the flattened input */
    int64_t axis;
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct compress *a = attrs;

    a->whole = !attr_given(p, "axis");
    a->axis = attr_int(p, "axis", 0);
    return true;
}

/* -- as other operators -- */

/* The size of the axis, a vector of one; an error while planning where there is no such axis. */
static struct value *size_of_axis(struct emitter *e, int64_t axis, struct value *x)
{
    return emit(e, "Gather", "", 2, emit(e, "Shape", "", 1, x), emit_ints(e, 1, &axis));
}

static bool expand(struct emitter *e, const struct node *n, struct value **out)
{
    const struct compress *const a = n->attrs;
    const int64_t all = -1, first = 0;
    struct value *x = a->whole ? emit_reshape(e, n->in[INPUT], 1, &all) : n->in[INPUT];
    struct value *zero = emit_ints(e, 1, &first);
    struct value *looked_at = emit(e, "Slice", "", 4, n->in[CONDITION], zero, size_of_axis(e, a->axis, x), zero);
    /* [1, n] for a vector; what has more dimensions is refused here */
    struct value *places = emit(e, "Squeeze", "", 2, emit(e, "NonZero", "", 1, looked_at), zero);
    char attrs[32];

    snprintf(attrs, sizeof attrs, "axis=%lld", (long long)a->axis);
    out[0] = emit(e, "Gather", attrs, 2, x, places);
    return out[0];
}

/* -- test -- */

#define CASES                                                                                                          \
    { "f32[3,2] bool[3]{0,1,1}", "axis=0", "f32[2,2]", 1 }, { "f64[2,3,4] bool[2]{1,0}", "axis=1", "f64[2,1,4]", 1 },  \
        { "f32[3,2] bool[5]{0,1,0,0,1}", "", "f32[2]", 1 }, { "str[2,3] bool[3]{1,0,1}", "axis=1", "str[2,2]", 0 },    \
        { "c64[2] bool[4]{1,1,1,1}", "", "c64[2]", 0 }, { "i8[3] bool[3]{0,0,0}", "axis=0", "i8[0]", 0 },              \
        { "f16[0,3] bool[2]{1,1}", "axis=1", "f16[0,2]", 0 },                                                          \
    {                                                                                                                  \
        "f64[] bool[1]{1}", "", "f64[1]", 1                                                                            \
    }

static const struct op_case cases_9[] = { CASES, { 0 } };
static const struct op_case cases_11[] = { CASES, { "f64[2,3] bool[3]{1,0,1}", "axis=-1", "f64[2,2]", 1 }, { 0 } };

static const struct op_case cases_28[] = { CASES, { "bf16[2,3] bool[3]{1,0,1}", "axis=-1", "bf16[2,2]", 0 }, { 0 } };

#define ROW(version, list, tests)                                                                                      \
    {                                                                                                                  \
        .since = version, .signature = "T input, T1 condition -> T output", .types = "T: " list "; T1: bool",          \
        .attrs_size = sizeof(struct compress), .parse = parse, .expand = expand, .cases = tests                        \
    }

const struct op op_compress = {
    .name = "Compress",
    .domain = "",
    .defs =
        (const struct op_def[]){
            ROW(28, "all bf16", cases_28), ROW(11, "all", cases_11), ROW(9, "all", cases_9), { 0 } },
};
