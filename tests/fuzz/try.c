#include "try.h"
#include "model/model.h"
#include "run/session.h"
#include "train/trainer.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 256 << 20, BATCH = 2 };

enum content { ZEROS, SMALL, HOSTILE, CONTENTS };

/* Small numbers count on; hostile ones are any bits: NaN, the least and the greatest integer, a bool of 1 or 0. Strings
 * stay empty. */
static void fill(const struct tensor *t, enum content content)
{
    const int64_t bytes = tensor_bytes(t);
    const size_t size = dtype_size(t->dtype);
    uint64_t state = 88172645463325252u;
    uint8_t *to = t->data;

    if (content == ZEROS || t->dtype == STRING)
        return;
    for (int64_t k = 0; k < bytes; k++) {
        const int64_t n = k / (int64_t)size;
        const float f = (float)(n % 7) / 4 - 0.5f;
        const double d = (double)f;
        const uint64_t whole = (uint64_t)(n % 5);

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if (t->dtype == BOOL)
            to[k] = (uint8_t)((content == SMALL ? (uint64_t)n : state >> 40) % 2);
        else if (content == HOSTILE)
            to[k] = state >> 8 & 1 ? (uint8_t)(state >> 20) : state >> 9 & 1 ? 0xff : 0;
        else if (t->dtype == F32)
            to[k] = ((const uint8_t *)&f)[k % 4];
        else if (t->dtype == F64)
            to[k] = ((const uint8_t *)&d)[k % 8];
        else
            to[k] = ((const uint8_t *)&whole)[k % (int64_t)size % 8];
    }
}

/* A dimension that is open is 2. */
static bool make_input(struct tensor *t, const struct value *v, struct arena *a, struct report *r)
{
    *t = v->type;
    if (t->kind != TENSOR || !v->has_type || t->dtype == UNDEFINED || !dtype_size(t->dtype))
        return false;
    if (t->rank < 0)
        t->rank = 0;
    for (int d = 0; d < t->rank; d++)
        if (t->dims[d] < 0)
            t->dims[d] = BATCH;
    return tensor_shape(t, t->dtype, t->rank, t->dims) && (t->data = arena_alloc(a, (size_t)tensor_bytes(t), r));
}

static bool set_inputs(struct session *s, struct arena *a, enum content content, struct report *r)
{
    for (size_t k = 0; k < s->graph->input_count; k++) {
        struct tensor t;

        if (!make_input(&t, s->graph->inputs[k], a, r))
            return false;
        fill(&t, content);
        if (!session_set(s, s->graph->inputs[k], &t, r))
            return false;
    }
    return true;
}

static bool runs(const struct model *m, struct budget *b)
{
    const struct session_options o = { .threads = 1, .memory = MEMORY, .seconds = 2 };
    struct report first = { 0 };
    struct session *s = session_new(m->graph, &o, &first);
    bool any = false;

    for (int content = ZEROS; s && content < CONTENTS; content++) {
        struct arena a = { .budget = b };
        struct report r = { 0 };

        if (set_inputs(s, &a, (enum content)content, &r) && session_run(s, &r))
            any = true;
        arena_release(&a);
    }
    session_free(s);
    return any;
}

static bool trains(const struct model *m, struct budget *b)
{
    const struct trainer_options o = { .threads = 1, .memory = MEMORY, .seconds = 2 };
    struct arena a = { .budget = b };
    struct report r = { 0 };
    struct trainer *t = m->graph->input_count == 1 ? trainer_new(m, &o, &r) : NULL;
    float result;
    bool ok = t;

    for (int step = 0; ok && step < 2; step++) {
        struct tensor x = t->x[0], y = t->targets->y;

        x.dims[0] = y.dims[0] = 2 + step;
        ok = tensor_known(&x) && tensor_known(&y) && tensor_shape(&x, x.dtype, x.rank, x.dims) &&
             tensor_shape(&y, y.dtype, y.rank, y.dims) && tensor_bytes(&x) <= 1 << 20 &&
             (x.data = arena_alloc(&a, (size_t)tensor_bytes(&x), &r)) &&
             (y.data = arena_alloc(&a, (size_t)tensor_bytes(&y), &r));
        if (!ok)
            break;
        fill(&x, SMALL);
        ok = trainer_step(t, &x, &y, &result, &r);
    }
    trainer_free(t);
    arena_release(&a);
    return ok;
}

int try_model(const uint8_t *bytes, size_t size, unsigned flags)
{
    const struct model_options o = { .memory = MEMORY, .seconds = 2 };
    struct budget b = { .limit = MEMORY };
    struct report r = { 0 };
    struct model *m = model_read_bytes(bytes, size, &o, &r);
    int stage = 0;

    if (m)
        stage = model_build(m, &r) ? 2 : 1;
    if (stage == 2 && runs(m, &b))
        stage = 3;
    if (stage >= 2 && flags & TRY_TRAINING && trains(m, &b))
        stage = 4;
    model_free(m);
    try_nothing_left(&b);
    return stage;
}

void try_loader(const uint8_t *bytes, size_t size)
{
    try_model(bytes, size, 0);
}

unsigned try_take(const uint8_t **bytes, size_t *size)
{
    if (!*size)
        return 0;
    --*size;
    return *(*bytes)++;
}

void try_nothing_left(const struct budget *b)
{
    if (b->used) {
        fprintf(stderr, "%zu bytes were not given back\n", b->used);
        abort();
    }
}

void try_expect(bool kept, const char *promise)
{
    if (!kept) {
        fprintf(stderr, "this does not hold: %s\n", promise);
        abort();
    }
}
