/* What the reductions share: axes, shapes, running, rows, and gradients. */
#ifndef KILN_OPS_REDUCE_H
#define KILN_OPS_REDUCE_H

#include "kernels/reduce.h"
#include "ops/op.h"

enum { REDUCE_DATA, REDUCE_AXES }; /* inputs */

struct reduce_attrs {
    bool keepdims;
    bool noop; /* no axes: reduces nothing, instead of everything */
    bool channels_last;
    bool spatial; /* global pooling: all axes but batch and channel, which stay */
};

/* The canonical form has axes as an input. */
bool reduce_parse(struct parse *p, void *attrs);        /* axes are an input, noop_with_empty_axes */
bool reduce_parse_before(struct parse *p, void *attrs); /* axes are an attribute */
bool reduce_parse_global(struct parse *p, void *attrs); /* GlobalAveragePool, GlobalMaxPool: no attributes */

/* Not where dimensions that go leave the others in another order. */
bool reduce_channels_last(const struct node *n, int rank, void *attrs);
int reduce_rank(const struct node *n, int k);
bool reduce_infer(struct infer *i);
bool reduce_infer_mapped(struct infer *i); /* of those that do something to an element that stands alone, too */
bool reduce_run(struct step *s, enum reduction r);
struct reduce_shape reduce_shape_in(const struct step *s); /* by the axes of the step */

/* dL/dY spread over what was summed; over its count for a mean. */
bool reduce_gradient(struct backward *b, bool mean);
/* A maximum's, and a minimum's, goes to the elements that equal it, split evenly where several do. */
bool reduce_max_gradient(struct backward *b);
/* A product's, times the product of all others. */
bool reduce_prod_gradient(struct backward *b);
/* v, of the output's shape, with dimensions of 1 where the input was reduced: it broadcasts with the input. */
struct value *reduce_kept(struct backward *b, struct value *v);
/* The same for each element of the input. */
void reduce_give(struct backward *b, struct value *v);

/* -- rows: `run` and `gradient` are the file's, axes an attribute before and an input since -- */

#define REDUCE_ROW_BEFORE(version, type_list, inferrer, case_list)                                                     \
    {                                                                                                                  \
        .since = version, .signature = "T data -> T reduced", .types = type_list,                                      \
        .attrs_size = sizeof(struct reduce_attrs), .parse = reduce_parse_before, .rank = reduce_rank,                  \
        .infer = inferrer, .run = run, .gradient = gradient, .channels_last = reduce_channels_last, .cases = case_list \
    }
#define REDUCE_ROW(version, type_list, inferrer, case_list)                                                            \
    {                                                                                                                  \
        .since = version, .signature = "T data, I axes? -> T reduced", .types = type_list "; I: i64",                  \
        .attrs_size = sizeof(struct reduce_attrs), .parse = reduce_parse, .rank = reduce_rank, .infer = inferrer,      \
        .run = run, .gradient = gradient, .channels_last = reduce_channels_last, .cases = case_list                    \
    }
/* Of those that take the four integers since opset 1, and bfloat16 since 13. */
#define REDUCE_ROWS(inferrer, case_list, cases_before)                                                                 \
    REDUCE_ROW(18, "T: floats bf16 i32 i64 u32 u64", inferrer, case_list),                                             \
        REDUCE_ROW_BEFORE(13, "T: floats bf16 i32 i64 u32 u64", inferrer, cases_before),                               \
        REDUCE_ROW_BEFORE(11, "T: floats i32 i64 u32 u64", inferrer, cases_before),                                    \
        REDUCE_ROW_BEFORE(1, "T: floats i32 i64 u32 u64", inferrer, cases_before)

/* Of those that take floats alone since 28. */
#define REDUCE_ROWS_OF_FLOATS(inferrer, cases_28, case_list, cases_before)                                             \
    REDUCE_ROW(28, "T: floats bf16", inferrer, cases_28), REDUCE_ROWS(inferrer, case_list, cases_before)

/* Of ReduceMax and ReduceMin. */
extern const struct op_case extreme_cases[], extreme_cases_before[], extreme_cases_20[];
#define REDUCE_ROWS_EXTREME                                                                                            \
    REDUCE_ROW(20, "T: floats bf16 i8 i32 i64 u8 u32 u64 bool", reduce_infer, extreme_cases_20),                       \
        REDUCE_ROW(18, "T: floats bf16 i8 i32 i64 u8 u32 u64", reduce_infer, extreme_cases),                           \
        REDUCE_ROW_BEFORE(13, "T: floats bf16 i8 i32 i64 u8 u32 u64", reduce_infer, extreme_cases_before),             \
        REDUCE_ROW_BEFORE(12, "T: floats i8 i32 i64 u8 u32 u64", reduce_infer, extreme_cases_before),                  \
        REDUCE_ROW_BEFORE(11, "T: floats i32 i64 u32 u64", reduce_infer, extreme_cases_before),                        \
        REDUCE_ROW_BEFORE(1, "T: floats i32 i64 u32 u64", reduce_infer, extreme_cases_before)
/* Of GlobalAveragePool and GlobalMaxPool, whose files include ops/rank.h and ops/rows.h. */
#define GLOBAL_POOL_ROW(version, type_list, case_list)                                                                 \
    {                                                                                                                  \
        .since = version, .signature = "T X -> T Y", .types = type_list, .attrs_size = sizeof(struct reduce_attrs),    \
        .parse = reduce_parse_global, .rank = rank_of_input, .infer = reduce_infer, .run = run, .gradient = gradient,  \
        .channels_last = reduce_channels_last, .batch_independent = rows_of_first, .cases = case_list                  \
    }

/* Their values are drawn by `how`: "", "+" or "~" (op.h). */
#define GLOBAL_POOL_CASES(how)                                                                                         \
    { "f64[2,3,4,5]" how, "", "f64[2,3,1,1]", 1 }, { "f32[1,3,7]" how, "", "f32[1,3,1]", 1 },                          \
        { "f64[2,2,2,3,2]" how, "", "f64[2,2,1,1,1]", 1 }, { "f32[0,3,4,5]", "", "f32[0,3,1,1]", 0 },                  \
    {                                                                                                                  \
        "f16[2,3,4,5]", "", "f16[2,3,1,1]", 0                                                                          \
    }
/* `whole`: are gradients looked at of what makes one float of a hundred, too? It has few digits. */
#define REDUCE_CASES_BEFORE(how, whole)                                                                                \
    { "f64[2,3,4]" how, "axes=[1]", "f64[2,1,4]", 1 }, { "f64[2,3,4]" how, "axes=[-1,0] keepdims=0", "f64[3]", 1 },    \
        { "f32[3,5,7]" how, "", "f32[1,1,1]", whole }, { "f32[4,300]" how, "axes=[0] keepdims=0", "f32[300]", 1 },     \
        { "f32[70,1000]" how, "keepdims=0", "f32[]", 0 }, { "f64[]" how, "", "f64[]", 1 },                             \
        { "f32[2,0,3]", "axes=[1]", "f32[2,1,3]", 0 }, { "f32[0,3]", "axes=[1]", "f32[0,1]", 0 },                      \
        { "f16[6,5]" how, "axes=[1] keepdims=0", "f16[6]", 0 }, { "i32[6,5]" how, "axes=[0]", "i32[1,5]", 0 },         \
        { "i64[6,5]" how, "axes=[1]", "i64[6,1]", 0 }, { "u32[6,5]" how, "axes=[0] keepdims=0", "u32[5]", 0 },         \
    {                                                                                                                  \
        "u64[6,5]" how, "", "u64[1,1]", 0                                                                              \
    }
#define REDUCE_CASES_OF_FLOATS(how, whole)                                                                             \
    { "f64[2,3,4]" how " i64[1]{1}", "", "f64[2,1,4]", 1 },                                                            \
        { "f64[2,3,4]" how " i64[2]{-1,0}", "keepdims=0", "f64[3]", 1 },                                               \
        { "f64[2,3,4,5]" how " i64[2]{1,3}", "keepdims=0", "f64[2,4]", 1 },                                            \
        { "f32[3,5,7]" how, "", "f32[1,1,1]", whole }, { "f32[3,5,7]" how " i64[0]{}", "keepdims=0", "f32[]", whole }, \
        { "f64[3,5]" how " i64[0]{}", "noop_with_empty_axes=1", "f64[3,5]", 1 },                                       \
        { "f64[3,5]" how, "noop_with_empty_axes=1", "f64[3,5]", 1 },                                                   \
        { "f32[4,300]" how " i64[1]{0}", "keepdims=0", "f32[300]", 1 },                                                \
        { "f32[70,1000]" how, "keepdims=0", "f32[]", 0 }, { "f32[2,0,3] i64[1]{1}", "", "f32[2,1,3]", 0 },             \
        { "f16[6,5]" how " i64[1]{1}", "keepdims=0", "f16[6]", 0 },                                                    \
    {                                                                                                                  \
        "bf16[6,5]" how " i64[1]{0}", "", "bf16[1,5]", 0                                                               \
    }
#define REDUCE_CASES(how, whole)                                                                                       \
    REDUCE_CASES_OF_FLOATS(how, whole), { "i32[6,5]" how " i64[1]{0}", "", "i32[1,5]", 0 },                            \
        { "i64[6,5]" how " i64[1]{1}", "", "i64[6,1]", 0 },                                                            \
        { "u32[6,5]" how " i64[1]{0}", "keepdims=0", "u32[5]", 0 },                                                    \
    {                                                                                                                  \
        "u64[6,5]" how, "", "u64[1,1]", 0                                                                              \
    }

#endif
