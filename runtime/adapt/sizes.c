/* Sizes for what the inputs leave open. Where the caller gives data, theirs are taken; where there are none, those with
 * which the network can be planned (plan/open_sizes.h), which is told. */
#include "adapt/step.h"
#include "base/text.h"
#include "plan/open_sizes.h"
#include <string.h>

/* The input of the file that is called so: at the same place in most models. */
static const struct tensor *find(const struct adapt *a, const char *name, size_t place)
{
    for (size_t k = 0; k < a->file->input_count; k++) {
        const size_t at = (place + k) % a->file->input_count;

        if (strcmp(a->file->inputs[at]->name, name) == 0)
            return &a->x[at];
    }
    return NULL;
}

bool adapt_inputs(struct adapt *a, const struct graph *g, const struct tensor **x)
{
    struct tensor *types;

    *x = NULL;
    if (!a->x)
        return true;
    types = arena_array(a->arena, g->input_count, sizeof *types, a->report);
    for (size_t k = 0; types && k < g->input_count; k++) {
        const struct value *v = g->inputs[k];
        const struct tensor *found = find(a, v->name, k);

        types[k] = v->has_type ? v->type : (struct tensor){ .rank = UNKNOWN };
        for (int d = 0; found && found->rank == types[k].rank && d < types[k].rank; d++)
            types[k].dims[d] = types[k].dims[d] < 0 ? found->dims[d] : types[k].dims[d];
    }
    *x = types;
    return types;
}

/* -- the step -- */

/* "32x32": those of input k that it leaves open. */
static void show_sizes(struct text *t, const struct adapt *a, size_t k)
{
    const struct tensor *declared = &a->file->inputs[k]->type, *taken = &a->x[k];
    const int samples = open_samples(a->file, k);
    bool first = true;

    for (int d = 0; d < declared->rank; d++)
        if (declared->dims[d] < 0 && d != samples) {
            text_say(t, "%s%lld", first ? "" : "x", (long long)taken->dims[d]);
            first = false;
        }
}

static bool tell(struct adapt *a, size_t k)
{
    const struct value *v = a->file->inputs[k];
    struct text done = { .budget = a->arena->budget, .report = a->report };
    char type[TYPE_TEXT];
    bool ok;

    text_say(&done, "were taken as ");
    show_sizes(&done, a, k);
    text_say(&done, "%s", a->options->data ? ", as the data have them" : ", with which the network can be planned");
    ok = !done.failed && adapt_tell(a, &(struct finding){ .name = v->name,
                                                          .found = "open dimensions",
                                                          .evidence = tensor_text(&v->type, type),
                                                          .certainty = CERTAIN,
                                                          .done = done.data });
    text_release(&done);
    return ok;
}

bool adapt_sizes(struct adapt *a)
{
    const struct graph *g = a->file;
    struct tensor *x = arena_array(a->arena, g->input_count, sizeof *x, a->report);
    int64_t most;

    if (!x || !calibration_types(x, g, a->calibration.data, a->arena, &most, a->report))
        return false;
    a->x = x;
    for (size_t k = 0; k < g->input_count; k++)
        if (open_sizes_one(g, NULL, k) && !tell(a, k))
            return false;
    return true;
}
