/* BatchNormalization whose running statistics are to be measured anew, as after a training that was too short for them to
 * follow (train/lag.h): in training form until that is done. */
#include "adapt/inference/measured_statistics.h"
#include "ops/registry.h"
#include <string.h>

enum { FIRST = 7, BY_ATTRIBUTE = 14 }; /* versions of the operator: that are known here; that say `training_mode` */

static bool is_asked_for(struct adapt *a, const struct node *n)
{
    static const char *const choices[] = { "measured", NULL };
    const bool could = node_is(n, &op_batch_normalization) && !is_in_training_form(n);

    return could && adapt_choice(a, choices, facts_name(n), NULL);
}

/* Its running mean and variance become outputs. */
static bool put_in_training_form(const struct facts *f, struct edit *e, const struct node *n)
{
    Onnx__NodeProto *to = e->graph->node[facts_place(f, n)];
    const char *outputs[] = { n->out[0]->name, facts_fresh(e, facts_name(n), "next_mean"),
                              facts_fresh(e, facts_name(n), "next_variance") };

    return outputs[1] && outputs[2] && edit_set_outputs(e, to, 3, outputs) &&
           (n->def->since < BY_ATTRIBUTE || edit_set_int(e, to, "training_mode", 1));
}

static bool can_be(const struct facts *f, const struct node *n, struct report *r)
{
    if (facts_place(f, n) >= 0 && n->def->since >= FIRST)
        return true;
    return fail(r, KILN_UNSUPPORTED, facts_name(n), "its statistics cannot be measured anew: it is %s",
                facts_place(f, n) < 0 ? "part of a function" : "of an opset before 7");
}

static bool tell(struct adapt *a, const struct node *n)
{
    return adapt_tell(a, &(struct finding){ .name = facts_name(n),
                                            .found = "BatchNormalization with running statistics",
                                            .evidence = "a node of the file",
                                            .certainty = CERTAIN,
                                            .done = "they are measured over the data, as asked" });
}

bool measure_anew(struct adapt *a, bool *any)
{
    const struct node **asked = arena_array(a->arena, a->model->graph->node_count, sizeof *asked, a->report);
    struct facts f;
    size_t count = 0;
    struct model *made;
    struct edit e;
    bool ok = facts_find(&f, a) && asked;

    for (size_t k = 0; ok && k < f.model->graph->node_count; k++)
        if (is_asked_for(a, f.model->graph->nodes[k])) {
            asked[count++] = f.model->graph->nodes[k];
            ok = can_be(&f, asked[count - 1], a->report) && tell(a, asked[count - 1]);
        }
    *any = count;
    if (ok && count && !a->options->data)
        ok = fail(a->report, KILN_BAD_ARGUMENT, NULL,
                  "there must be data over which the statistics of %zu BatchNormalization are measured (--calibrate)",
                  count);
    made = ok && count ? adapt_copy(a) : NULL;
    if (made) {
        ok = edit_begin(&e, made, a->report);
        for (size_t k = 0; ok && k < count; k++)
            ok = put_in_training_form(&f, &e, asked[k]);
        ok = edit_end(&e) && ok;
        ok = adapt_take_reference(a, made, ok);
    } else
        ok = ok && !count;
    facts_release(&f);
    return ok;
}
