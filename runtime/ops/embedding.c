#include "ops/embedding.h"
#include "ops/expansion.h"
#include <stdio.h>

static struct value *rows(struct emitter *e, const struct embedding *m, enum embedding_of k)
{
    struct value *ids = m->ids[k], *y;

    if (!ids)
        ids = emit_counted(e, emit_size(e, m->ids[EMBED_WORD], 1));
    y = emit(e, "Gather", "axis=0", 2, m->table[k], ids);
    return m->scale[k] ? emit(e, "DequantizeLinear", "", 3, y, m->scale[k], m->zero[k]) : y;
}

static struct value *ones_of(struct emitter *e, struct value *mask)
{
    const int64_t last = 1;
    struct value *one = emit(e, "Equal", "", 2, mask, emit(e, "CastLike", "", 2, emit_scalar(e, I64, 1), mask));

    return emit(e, "ReduceSum", "keepdims=0", 2, emit_cast(e, one, I32), emit_ints(e, 1, &last));
}

bool emit_embedding(struct emitter *e, const struct embedding *m, struct value **normalised, struct value **index,
                    struct value **sum)
{
    char attrs[48];

    *sum = emit(e, "Add", "", 2, rows(e, m, EMBED_WORD), rows(e, m, EMBED_POSITION));
    if (m->table[EMBED_SEGMENT])
        *sum = emit(e, "Add", "", 2, *sum, rows(e, m, EMBED_SEGMENT));
    snprintf(attrs, sizeof attrs, "epsilon=%.9e", (double)m->epsilon);
    *normalised = emit(e, "LayerNormalization", attrs, 3, *sum, m->gamma, m->beta);
    *index = m->mask ? ones_of(e, m->mask)
                     : emit(e, "ConstantOfShape", "value=i32[1]{0}", 1, emit_size(e, m->ids[EMBED_WORD], 0));
    return *normalised && *index;
}
