/* A layer of which the caller says that BatchNormalization was folded into it: nothing in the file tells. */
#include "adapt/normalization/normalization.h"
#include <string.h>

static bool find(const struct search *s, const struct node *n, struct site *out)
{
    static const char *const choices[] = { "folded", NULL };
    const char *chosen;

    if (!search_folded(s, n, out))
        return false;
    chosen = adapt_choice(s->adapt, choices, n->name, n->inputs > 1 && n->in[1] ? n->in[1]->name : NULL);
    if (!chosen && (s->adapt->options->folded != FOLDED_ALL || out->bias < 0))
        return false;
    search_name(s, out, n);
    out->certainty = DOUBTFUL;
    out->evidence = "as asked";
    return true;
}

const struct trace trace_folded_as_asked = {
    .name = "folded into a layer",
    .exporter = "any",
    .epsilon = 1e-3,
    .momentum = .99,
    .find = find,
};
