/* GatherND, https://onnx.ai/onnx/operators/onnx__GatherND.html
 *
 *   y[b, i, behind] = data[b, indices[b, i, 0], indices[b, i, 1] ..., behind]        b over batch_dims dimensions
 *
 * The gradient adds each slice of dY to the place that it came from, in the order of the indices. */
#include "ops/cost.h"
#include "ops/places.h"
#include "ops/rank.h"

/* -- read -- */

static bool parse_12(struct parse *p, void *attrs)
{
    struct places_attrs *a = attrs;

    a->batch = attr_int(p, "batch_dims", 0);
    return true;
}

/* -- plan -- */

/* How many coordinates the indices have must be known. */
static int rank(const struct node *n, int k)
{
    const struct places_attrs *a = n->attrs;
    const struct tensor *indices = n->inputs > PLACES_INDICES ? value_constant(n->in[PLACES_INDICES]) : NULL;
    const int x = rank_of_input(n, k);

    if (x < 0 || !indices || indices->rank < 1 || indices->dims[indices->rank - 1] > x || a->batch < 0 || a->batch > x)
        return UNKNOWN;
    return indices->rank - 1 + x - (int)indices->dims[indices->rank - 1] - (int)a->batch;
}

/* -- test -- */

static const struct op_case cases_11[] = {
    { "f32[2,3] i64[4,2]{0,0,1,2,1,0,1,2}", "", "f32[4]", 1 },
    { "f64[3,4] i64[2,2,1]{1,0,2,1}", "", "f64[2,2,4]", 1 },
    { "f64[3,4] i64[2,1]", "", "f64[2,4]", 1 },
    { 0 },
};
static const struct op_case cases_12[] = {
    { "f32[2,3] i64[4,2]{0,0,1,2,1,0,1,2}", "", "f32[4]", 1 },
    { "f64[2,3,4] i64[2,1,2]{0,-1,-2,1}", "", "f64[2,1,4]", 1 },
    { "f64[2,3,4] i64[2,5,1]{0,1,2,0,0,-1,-2,-3,0,0}", "batch_dims=1", "f64[2,5,4]", 1 },
    { "f64[2,2,3] i64[2,2,1]{0,1,2,0}", "batch_dims=2", "f64[2,2]", 1 },
    { "f64[3,4] i64[2,1]", "", "f64[2,4]", 1 },
    { "str[2,2] i64[1,1]{1}", "", "str[1,2]", 0 },
    { "c128[3] i64[2,1]{2,0}", "", "c128[2]", 0 },
    { "f16[2,3] i64[2]{1,2}", "", "f16[]", 1 },
    { "f32[5,300] i64[3,1]{4,-5,4}", "", "f32[3,300]", 1 },
    { "f32[2,3] i64[0,2]", "", "f32[0]", 0 },
    { 0 },
};

#define PARTS(version, t)                                                                                              \
    .since = version, .signature = "T data, I indices -> T output", .types = "T: " t "; I: i64",                       \
    .cost = cost_of_picking, .attrs_size = sizeof(struct places_attrs), .rank = rank, .infer = gather_places_infer,    \
    .run = gather_places_run, .gradient = gather_places_gradient, .flags = OP_MOVES

const struct op op_gather_nd = {
    .name = "GatherND",
    .domain = "",
    .defs =
        (const struct op_def[]){
            { PARTS(13, "all bf16"), .parse = parse_12, .cases = cases_12 },
            { PARTS(12, "all"), .parse = parse_12, .cases = cases_12 },
            { PARTS(11, "all"), .cases = cases_11 },
            { 0 },
        },
};
