/* StringConcat, https://onnx.ai/onnx/operators/onnx__StringConcat.html
 *
 *   Z = X with Y behind it, string by string, broadcast */
#include "ops/elementwise.h"
#include <string.h>

/* -- run -- */

/* What is made lies on the heap of the run, which is no matter for several threads: there is one piece of work. */
struct joining {
    struct step *step;
    int64_t count;
    bool late, failed;
};

enum { OFTEN = 1024 }; /* strings after which the time is looked at */

static struct string *join(struct step *s, const struct string *x, const struct string *y)
{
    struct string *z;
    size_t bytes;

    if (__builtin_add_overflow(x->length, y->length, &bytes) || __builtin_add_overflow(bytes, sizeof *z, &bytes)) {
        step_error(s, "a string would have more bytes than can be addressed");
        return NULL;
    }
    z = heap_alloc(s->heap, bytes, s->report);
    if (!z)
        return NULL;
    z->length = x->length + y->length;
    memcpy(z->bytes, x->bytes, x->length);
    memcpy(z->bytes + x->length, y->bytes, y->length);
    return z;
}

static uint64_t joined(struct joining *j, uint64_t a, uint64_t b)
{
    const struct string *const x = (const struct string *)(uintptr_t)a, *const y = (const struct string *)(uintptr_t)b;
    struct string *z;

    j->late = j->late || (j->count++ % OFTEN == 0 && pool_late(j->step->pool));
    if (j->late || j->failed)
        return 0;
    if (!x || !x->length || !y || !y->length)
        return x && x->length ? a : b;
    z = join(j->step, x, y);
    j->failed = !z;
    return (uint64_t)(uintptr_t)z;
}

#define EXPR joined((struct joining *)(uintptr_t)s->attrs, a, b)
#define LOOP loop_string
#define T    uint64_t
#include "ops/binary_body.h"
#undef EXPR

static bool run(struct step *s)
{
    struct joining j = { .step = s };
    const struct elementwise e = { .loop = loop_string, .chunk = INT64_MAX, .span = { .attrs = &j } };

    return elementwise(s, &e, s->out[0], 2, s->in) && !j.failed;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "str[2,3] str[2,3]", "", "str[2,3]", 0 },
    { "str[3,1,5] str[4,1]", "", "str[3,4,5]", 0 },
    { "str[] str[7]", "", "str[7]", 0 },
    { "str[0,3] str[1]", "", "str[0,3]", 0 },
    { 0 },
};

const struct op op_string_concat = {
    .name = "StringConcat",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 20,
                                       .signature = "T X, T Y -> T Z",
                                       .types = "T: str",
                                       .infer = binary_infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .flags = OP_ELEMENTWISE,
                                       .cases = cases },
                                     { 0 } },
};
