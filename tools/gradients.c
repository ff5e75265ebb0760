/* kiln inspect --gradients: where gradients flow, where they end, and what is kept for them. */
#include "gradients.h"
#include <string.h>

enum { NAME_MOST = 48, LIST_MOST = 40 };

struct sheet {
    const kiln_gradients *gradients;
    const kiln_model *model;
    struct page *out;
};

static int column(int width, const char *s, int most)
{
    const int n = (int)strlen(s);

    return n > width && n <= most ? n : width;
}

/* "MatMul 'fc1'" */
static void put_node(struct sheet *s, const kiln_gradient_node *n)
{
    page_say(s->out, "%s", n->op);
    if (*n->name)
        page_say(s->out, " '%s'", n->name);
}

static void put_interface(struct sheet *s)
{
    page_say(s->out, "\nInputs\n");
    for (size_t k = 0; kiln_gradients_input_type(s->gradients, k); k++)
        page_say(s->out, "  %s  %s\n", kiln_model_input(s->model, k)->name, kiln_gradients_input_type(s->gradients, k));
    page_say(s->out, "\nOutputs that learn\n");
    for (size_t k = 0; k < kiln_gradients_target_count(s->gradients); k++) {
        const kiln_gradient_target *t = kiln_gradients_target(s->gradients, k);

        page_say(s->out, "  %s%s%s", t->output, *t->loss ? "  " : "", t->loss);
        if (strcmp(t->from, t->output) != 0)
            page_say(s->out, "; gradients begin at %s", t->from);
        page_add(s->out, "\n", 1);
    }
    if (!kiln_gradients_target_count(s->gradients))
        page_say(s->out, "  none\n");
}

/* The way back to it: the nodes next to it, and how many are before those. */
static void put_way(struct sheet *s, const kiln_gradient_parameter *p)
{
    const kiln_gradient_node *n = kiln_gradients_node(s->gradients, (size_t)p->node);
    int64_t more = p->far;

    for (int k = 0; n && k < 2; k++) {
        page_say(s->out, k ? ", " : "from ");
        put_node(s, n);
        more--;
        n = n->behind < 0 ? NULL : kiln_gradients_node(s->gradients, (size_t)n->behind);
    }
    if (more > 0)
        page_say(s->out, ", %lld more", (long long)more);
    page_say(s->out, ", the loss\n");
}

static void put_parameters(struct sheet *s, bool with)
{
    const size_t count = kiln_gradients_parameter_count(s->gradients);
    int name = 0, type = 0;
    bool any = false;

    for (size_t k = 0; k < count; k++) {
        const kiln_gradient_parameter *p = kiln_gradients_parameter(s->gradients, k);

        if ((*p->why == 0) != with)
            continue;
        any = true;
        name = column(name, p->name, NAME_MOST);
        type = column(type, p->type, LIST_MOST);
    }
    if (any || with)
        page_say(s->out, with ? "\nParameters with a gradient\n" : "\nParameters without\n");
    if (!any && with)
        page_say(s->out, "  none\n");
    for (size_t k = 0; k < count; k++) {
        const kiln_gradient_parameter *p = kiln_gradients_parameter(s->gradients, k);

        if ((*p->why == 0) != with)
            continue;
        page_say(s->out, "  %-*s  %-*s  ", name, p->name, type, p->type);
        if (with)
            put_way(s, p);
        else
            page_say(s->out, "%s: %s\n", kiln_role_name(p->role), p->why);
    }
}

static const char *how(const kiln_gradient_kept *k)
{
    switch (k->how) {
    case KILN_KEPT_AGAIN:
        return "made again";
    case KILN_KEPT_OUTSIDE:
        return "there anyway";
    case KILN_KEPT_FOR:
        return "kept to make others of it";
    default:
        return "kept";
    }
}

/* "12 bytes", or "bytes that only running tells" */
static void put_bytes(struct sheet *s, int64_t bytes)
{
    if (bytes >= 0)
        page_say(s->out, "%lld ", (long long)bytes);
    page_say(s->out, bytes < 0 ? "bytes that only running tells" : "bytes");
}

/* "  keeps x  float[2,3]  24 bytes, kept" */
static void put_kept(struct sheet *s, int depth, const kiln_gradient_kept *keep, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        page_say(s->out, "    %*sreads %s  %s  ", 2 * depth, "", keep[k].name, keep[k].type);
        put_bytes(s, keep[k].bytes);
        page_say(s->out, ", %s\n", how(&keep[k]));
    }
}

static void put_values(struct sheet *s, const kiln_gradient_node *n)
{
    page_say(s->out, "goes on to ");
    for (size_t k = 0; k < n->goes_on_to; k++)
        page_say(s->out, "%s%s", k ? ", " : "", n->values[k]);
    if (!n->goes_on_to)
        page_say(s->out, "its own parts");
}

static void put_nodes(struct sheet *s)
{
    const size_t count = kiln_gradients_node_count(s->gradients);
    const size_t others = kiln_gradients_about(s->gradients)->others;
    size_t kept;
    const kiln_gradient_kept *of_loss = kiln_gradients_loss(s->gradients, &kept);

    page_say(s->out, "\nNodes, from the loss back\n");
    if (kept)
        page_say(s->out, "  the loss\n");
    put_kept(s, 0, of_loss, kept);
    for (size_t k = 0; k < count; k++) {
        const kiln_gradient_node *n = kiln_gradients_node(s->gradients, k);

        page_say(s->out, "  %*s", 2 * n->depth, "");
        put_node(s, n);
        page_say(s->out, ": ");
        if (n->flow == KILN_FLOW_GRADIENT)
            put_values(s, n);
        page_say(s->out, "%s%s\n", n->flow == KILN_FLOW_GRADIENT && *n->why ? "; " : "", n->why);
        put_kept(s, n->depth, n->keep, n->kept);
    }
    if (others)
        page_say(s->out, "  and %zu more, of which no gradient is asked\n", others);
}

/* The first node on each way at which it ends. */
static void put_ends(struct sheet *s)
{
    const size_t count = kiln_gradients_node_count(s->gradients);
    bool any = false;

    for (size_t k = 0; k < count; k++) {
        const kiln_gradient_node *n = kiln_gradients_node(s->gradients, k);

        if (!*n->why || n->flow == KILN_FLOW_NONE || n->flow == KILN_FLOW_UNASKED)
            continue;
        if (!any)
            page_say(s->out, "\nWhere gradients end\n");
        any = true;
        page_say(s->out, "  ");
        put_node(s, n);
        page_say(s->out, ": %s\n", n->why);
    }
}

static void put_total(struct sheet *s, const char *what, int64_t bytes, const char *more)
{
    page_say(s->out, "%-23s", what);
    put_bytes(s, bytes);
    page_say(s->out, "%s\n", more);
}

static void put_totals(struct sheet *s)
{
    const kiln_gradients_info *i = kiln_gradients_about(s->gradients);

    if (!i->planned) {
        page_say(s->out, "\nNo step can be planned: %s%s%s\n", i->where, *i->where ? ": " : "", i->error);
        return;
    }
    page_say(s->out, "\n");
    put_total(s, "Kept for the way back", i->kept, "");
    put_total(s, "Made again", i->made_again, "");
    put_total(s, "Memory of a step", i->step, ", parameters left aside");
}

void put_gradients(struct page *out, const char *file, const kiln_model *model, const kiln_gradients *gradients)
{
    struct sheet s = { gradients, model, out };
    const kiln_gradients_info *i = kiln_gradients_about(gradients);

    page_say(out, "%s: gradients in a batch of %lld%s\n", file, (long long)i->batch,
             i->recompute ? ", made again what can be (--recompute)" : "");
    put_interface(&s);
    put_parameters(&s, true);
    put_parameters(&s, false);
    put_nodes(&s);
    put_ends(&s);
    put_totals(&s);
}
