/* How many iterations a Loop will have, as planning can tell it.
 *
 * M says so where nothing can end the loop before. Exporters write loops whose condition compares counters with what is
 * known: planning goes through the iterations then, with nothing of the body but the condition and what that hangs on. */
#include "ops/loop.h"
#include <string.h>

bool loop_passes_on(const struct loop *a, const struct value *v, int k)
{
    const struct op *const identity = op_find("", "Identity");

    while (v->producer && v->producer->op == identity)
        v = v->producer->in[0];
    return v == a->body->inputs[k];
}

bool loop_keeps_condition(const struct loop *a)
{
    return loop_passes_on(a, a->body->outputs[0], CONDITION);
}

enum { MOST_TRIED = 1 << 16 }; /* iterations of which planning works the conditions out */
enum { COUNTER = 256 };        /* bytes that a value may have on which they hang */

/* Marks what the marked outputs of the body need: body values by their ids. */
static void mark_needs(const struct loop *a, bool *needed)
{
    const struct graph *g = a->body;

    for (size_t k = g->node_count; k-- > 0;) {
        const struct node *n = g->nodes[k];
        bool any = false;

        for (int o = 0; o < n->slots; o++)
            any |= n->out[o] && needed[n->out[o]->id];
        for (int in = 0; in < n->inputs + n->captured && any; in++)
            if (n->in[in])
                needed[n->in[in]->id] = true;
    }
}

/* Which outputs the condition hangs on, from iteration to iteration: false where the first values of those are not
 * known. */
static bool find_counters(const struct loop *a, const struct tensor *first, bool *needed, bool *want)
{
    bool more = true;

    want[0] = true;
    needed[a->body->outputs[0]->id] = true;
    while (more) {
        more = false;
        mark_needs(a, needed);
        for (int k = 0; k < a->carried; k++)
            if (needed[a->body->inputs[CARRIED + k]->id] && !want[1 + k]) {
                if (!first[CARRIED + k].data || tensor_bytes(&first[CARRIED + k]) > COUNTER)
                    return false;
                more = want[1 + k] = needed[a->body->outputs[1 + k]->id] = true;
            }
    }
    return true;
}

/* Goes through the iterations with nothing but the condition, and what that hangs on (counters). */
static bool try_rounds(struct infer *i, const struct loop *a, int64_t most, struct tensor *in, int64_t *rounds)
{
    const struct graph *g = a->body;
    bool *needed = infer_alloc(i, g->value_count), *want = infer_alloc(i, g->output_count);
    struct tensor *out = infer_alloc(i, g->output_count * sizeof *out);
    uint8_t *goes = infer_alloc(i, sizeof *goes);
    int64_t *n = infer_alloc(i, sizeof *n);

    if (!needed || !want || !out || !goes || !n)
        return false;
    if (!find_counters(a, in, needed, want))
        return true;
    for (int k = CARRIED; k < CARRIED + a->carried; k++)
        if (!want[k - 1] && !loop_passes_on(a, g->outputs[k - 1], k))
            in[k].data = NULL;
    in[M].data = n;
    in[CONDITION].data = goes;
    for (*goes = true; *goes && *n < most; ++*n) {
        if (*n == MOST_TRIED)
            return true;
        if (!infer_values(i, 0, want, in, out))
            return false;
        for (int k = 0; k < a->carried; k++)
            if (want[1 + k])
                in[CARRIED + k] = out[1 + k];
        for (int k = 0; k <= a->carried; k++)
            if (want[k] && !out[k].data)
                return true;
        if (out[0].dtype != BOOL || tensor_count(&out[0]) != 1)
            return true;
        *goes = *(const uint8_t *)out[0].data;
    }
    *rounds = *n;
    return true;
}

bool loop_rounds(struct infer *i, const struct loop *a, const struct tensor *before, int64_t *rounds)
{
    const struct tensor *most = typed_in(i, M), *condition = typed_in(i, CONDITION);
    struct tensor *in = infer_alloc(i, a->body->input_count * sizeof *in);
    int64_t n = INT64_MAX;

    if (!in)
        return false;
    if ((most && !most->data) || (condition && !condition->data))
        return true;
    if (most)
        n = *(const int64_t *)most->data > 0 ? *(const int64_t *)most->data : 0;
    if (condition && !*(const uint8_t *)condition->data)
        n = 0;
    if (!n || !condition || loop_keeps_condition(a)) {
        *rounds = n < INT64_MAX ? n : UNKNOWN;
        return true;
    }
    memcpy(in, before, a->body->input_count * sizeof *in);
    for (int k = CARRIED; k < CARRIED + a->carried; k++)
        in[k].data = typed_in(i, k)->data;
    return try_rounds(i, a, n, in, rounds);
}
