/* ZipMap, https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html
 *
 *   Z[row] = { label k: X[row, k] }        X [N, C], or [C], which is one row
 *
 * The last node of what scikit-learn's classifiers are converted to. Keys of a map ascend, so that columns may change
 * places; of a label that is there several times the last column counts, as in onnxruntime. */
#include "ops/class_labels.h"
#include "ops/features.h"
#include "ops/rank.h"
#include "ops/sequence.h"
#include "tensor/pairs.h"
#include <string.h>

struct zip_map {
    int64_t labels;         /* as listed */
    struct tensor keys;     /* of each map */
    const int64_t *columns; /* by key */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct zip_map *a = attrs;
    struct class_labels l;
    struct tensor listed = { .rank = 1 };
    int64_t *columns;

    if (!class_labels_parse(p, "classlabels_int64s", "classlabels_strings", &l))
        return false;
    a->labels = l.count;
    listed.dtype = l.dtype;
    listed.dims[0] = l.count;
    listed.data = (void *)(uintptr_t)l.labels;
    a->keys = listed;
    a->columns = columns = parse_alloc(p, (size_t)l.count * sizeof *columns);
    a->keys.data = parse_alloc(p, (size_t)tensor_bytes(&listed));
    if (!columns || !a->keys.data ||
        !keys_in_order(columns, &a->keys.dims[0], &listed, parse_node(p)->graph->arena->budget,
                       parse_node(p)->graph->report))
        return false;
    for (int64_t k = 0; k < a->keys.dims[0]; k++)
        class_label_put(&l, columns[k], &a->keys, k);
    return true;
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct zip_map *a = infer_attrs(i);
    struct tensor *z = typed_out(i, 0);
    int64_t rows;

    if (!features_fit(i, 0, a->labels, &rows))
        return false;
    if (z) {
        *z = (struct tensor){ .kind = SEQUENCE, .dtype = F32, .rank = UNKNOWN };
        z->element[0] = (struct element){ MAP, a->keys.dtype };
    }
    return true;
}

/* -- run -- */

/* All values, those of a map side by side. */
static float *values_of(struct step *s, int64_t rows)
{
    const struct zip_map *a = s->attrs;
    const int64_t keys = a->keys.dims[0];
    const float *x = s->in[0]->data;
    float *values = heap_alloc(s->heap, to_size(rows * keys * (int64_t)sizeof *values), s->report);

    for (int64_t row = 0; values && row < rows; row++)
        for (int64_t k = 0; k < keys; k++)
            values[row * keys + k] = x[row * a->labels + a->columns[k]];
    return values;
}

static bool run(struct step *s)
{
    const struct zip_map *a = s->attrs;
    const struct tensor *x = s->in[0];
    const int64_t rows = x->rank == 1 ? 1 : x->dims[0];
    float *values = values_of(s, rows);
    struct sequence *z = values ? sequence_new(s, 0, rows) : NULL; /* which has more bytes than the pairs */
    struct pairs *maps = z ? heap_alloc(s->heap, to_size(rows) * sizeof *maps, s->report) : NULL;

    for (int64_t row = 0; maps && row < rows; row++) {
        z->items[row] = map_type(a->keys.dtype, F32);
        z->items[row].data = &maps[row];
        maps[row] = (struct pairs){ a->keys, { .dtype = F32, .rank = 1, .dims = { a->keys.dims[0] } } };
        maps[row].values.data = values + row * a->keys.dims[0];
    }
    return maps;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "f32[3,2]", "classlabels_int64s=[5,-1]", "seq(map(i64,f32))", 0 },
    { "f32[2,3]", "classlabels_strings=['b','a','b']", "seq(map(str,f32))", 0 },
    { "f32[2]", "classlabels_strings=['','a']", "seq(map(str,f32))", 0 },
    { "f32[0,1]", "classlabels_int64s=[0]", "seq(map(i64,f32))", 0 },
    { 0 },
};

const struct op op_zip_map = {
    .name = "ZipMap",
    .domain = "ai.onnx.ml",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T1 X -> T Z",
                                       .types = "T1: f32; T: seq(map(str, f32)) seq(map(i64, f32))",
                                       .attrs_size = sizeof(struct zip_map),
                                       .parse = parse,
                                       .rank = rank_unknown,
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "gradients do not flow through maps",
                                       .flags = OP_RUN_ONLY,
                                       .cases = cases },
                                     { 0 } },
};
