#include "adapt/head/remake.h"
#include "ops/registry.h"
#include "train/initialise.h"
#include <string.h>

enum { BROADCAST = 7 }; /* the opset before which one had to ask for that */

static const struct tensor *type(const struct head *h, const struct value *v)
{
    return &h->types->types[v->id];
}

/* -- what is wanted -- */

/* Keras' rule: two classes are one unit with Sigmoid, or several with Softmax. */
static bool choose_activation(struct remake *y, int64_t classes)
{
    struct head *h = y->h;
    const struct node *n = h->activation;
    char where[WHERE_TEXT];

    y->units = classes;
    if (!n)
        return true;
    if (node_is(n, &op_sigmoid) && h->units == 1) {
        y->units = classes == 2 ? 1 : classes;
        y->activation = y->units > 1 ? &op_softmax : NULL;
    }
    if (node_is(n, &op_log_softmax) && classes == 1)
        return fail(h->a->report, KILN_BAD_ARGUMENT, node_where(n, where),
                    "classes is 1, of which LogSoftmax makes 0 whatever is learned, must be 2 at least");
    if (node_is(n, &op_softmax) && classes == 1)
        y->activation = &op_sigmoid;
    if (y->activation && !head_message(h->a->model, n))
        return fail(h->a->report, KILN_UNSUPPORTED, node_where(n, where), "cannot become %s: it is in a function",
                    y->activation->name);
    return true;
}

static bool check_classes(const struct remake *y)
{
    const struct head *h = y->h;
    struct report *r = h->a->report;
    char where[WHERE_TEXT];
    const Onnx__AttributeProto *group = node_attribute(head_message(h->a->model, h->node), "group");

    if (node_is(h->node, &op_conv) && group && group->i > 1 && y->units % group->i)
        return fail(r, KILN_BAD_ARGUMENT, node_where(h->node, where),
                    "classes is %lld, the head is a convolution of %lld groups, must be a multiple of that",
                    (long long)y->units, (long long)group->i);
    if (h->classes[h->output->id] < 0)
        return fail(r, KILN_UNSUPPORTED, node_where(h->lost ? h->lost : h->node, where),
                    "from here on output '%s' has no dimension for its classes, %lld until now: a head in a file must "
                    "take their place",
                    h->output->name, (long long)h->units);
    if (h->fixed && y->units != h->units)
        return fail(r, KILN_UNSUPPORTED, node_where(h->fixed, where),
                    "reads a constant that has a number for each of the %lld classes, and is no bias of the last "
                    "layer: a head in a file must take its place",
                    (long long)h->units);
    return true;
}

/* -- weights -- */

/* A name for what takes the place of input k: its own, where nobody else reads it. */
char *remake_name(struct remake *y, const Onnx__NodeProto *n, size_t k)
{
    struct edit *e = &y->e;
    char *stem = message_string(n->input[k], strlen(n->input[k]), e->budget, e->report), *name;

    if (!stem)
        return NULL;
    if (edit_readers(e, stem) == 1 && edit_initializer(e, stem)) {
        edit_drop_value_info(e, stem);
        edit_drop_graph_input(e, stem);
        edit_drop_initializer(e, stem);
    }
    name = edit_fresh_name(e, stem);
    budget_free(e->budget, stem);
    return name;
}

static bool note_made(struct head *h, const char *name, struct report *r)
{
    h->made[h->made_count] = arena_string(h->a->arena, name, strlen(name), r);
    return h->made[h->made_count++];
}

/* Draws what input `input` of `reader` is from now on; takes `name`. */
static bool add_drawn(struct remake *y, char *name, const struct node *reader, int input, struct tensor *t)
{
    const struct op_parameter *p = node_parameter(reader, input);
    const struct initial i = { .name = name, .reader = reader, .input = input, .ordinal = y->h->made_count };
    const bool weight = reader == y->h->node && input == y->h->weight;
    const char *own = name ? initial_rule(y->h->a->model, name) : NULL;
    struct initial how = i;
    struct edit *e = &y->e;
    bool ok;

    how.rule = own ? own : weight && p ? p->initial : "zeros";
    t->data = name ? budget_alloc(e->budget, (size_t)tensor_bytes(t), e->report) : NULL;
    ok = t->data && initial_draw(t, &how, e->budget, e->report) && edit_add_initializer(e, name, t) &&
         note_made(y->h, name, e->report);
    budget_free(e->budget, t->data);
    if (weight)
        y->rule = how.rule;
    return ok;
}

static bool shape_drawn(const struct remake *y, struct tensor *t, const struct tensor *like, int unit)
{
    int64_t dims[MAX_RANK];

    memcpy(dims, like->dims, sizeof dims);
    dims[unit] = y->units;
    return tensor_shape(t, like->dtype, like->rank, dims) ||
           fail(y->e.report, KILN_LIMIT, NULL, "a weight for %lld classes is too big", (long long)y->units);
}

static bool give_weight(struct remake *y, Onnx__NodeProto *n)
{
    const struct head *h = y->h;
    struct tensor t;
    char *name = NULL;
    const bool ok = shape_drawn(y, &t, type(h, h->node->in[h->weight]), h->unit) &&
                    (name = remake_name(y, n, (size_t)h->weight)) && add_drawn(y, name, h->node, h->weight, &t) &&
                    edit_set_input(&y->e, n, (size_t)h->weight, name);

    budget_free(y->e.budget, name);
    return ok;
}

/* The name for a bias where there was none. */
static char *new_name(struct remake *y)
{
    char *stem = arena_printf(y->h->a->arena, y->e.report, "%s/bias", head_called(y->h->node));

    return stem ? edit_fresh_name(&y->e, stem) : NULL;
}

/* The type of a bias that has a number for each unit, of what the layer itself makes. */
static struct tensor bias_type(const struct remake *y)
{
    const struct head *h = y->h;
    const struct tensor *made = type(h, h->node->out[0]);
    const bool last = h->axis == made->rank - 1 || (!node_is(h->node, &op_matmul) && !node_is(h->node, &op_gemm));

    return (struct tensor){ .dtype = made->dtype, .rank = last ? 1 : 2, .dims = { y->units, 1 } };
}

static bool set_bias_input(struct remake *y, Onnx__NodeProto *n, const char *name)
{
    const char *const inputs[] = { n->input[0], n->input[1], name };

    return edit_set_inputs(&y->e, n, 3, inputs) && (!node_is(y->h->node, &op_gemm) || y->h->graph->opset >= BROADCAST ||
                                                    edit_set_int(&y->e, n, "broadcast", 1));
}

/* Behind a product that has no input for it. */
static bool insert_bias(struct remake *y, Onnx__NodeProto *n, const char *name)
{
    struct edit *e = &y->e;
    const char *out = y->h->node->out[0]->name, *stem = head_called(y->h->node);
    char *label = arena_printf(y->h->a->arena, e->report, "%s/add", stem);
    char *plain = label ? edit_fresh_name(e, label) : NULL;
    Onnx__NodeProto *add = plain ? edit_insert_node(e, (size_t)y->h->node->index, true, op_add.name, label) : NULL;
    const bool ok = add && edit_set_outputs(e, n, 1, (const char *const[]){ plain }) &&
                    edit_set_inputs(e, add, 2, (const char *const[]){ plain, name }) &&
                    edit_set_outputs(e, add, 1, &out) &&
                    (y->h->graph->opset >= BROADCAST || edit_set_int(e, add, "broadcast", 1));

    budget_free(e->budget, plain);
    return ok;
}

static bool give_bias(struct remake *y, Onnx__NodeProto *n)
{
    const struct head *h = y->h;
    const bool own = !node_is(h->node, &op_matmul) && n->n_input > 2 && *n->input[2];
    Onnx__NodeProto *add = h->bias ? head_message(y->to, h->bias) : NULL;
    struct tensor t = bias_type(y);
    char *name;
    bool ok;

    y->added = !own && !add;
    if (add) {
        const struct tensor *old = type(h, h->bias->in[h->bias_input]);
        const int rank = type(h, h->bias->out[0])->rank;

        if (!shape_drawn(y, &t, old, h->classes[h->bias->out[0]->id] - (rank - old->rank)))
            return false;
    }
    name = add ? remake_name(y, add, (size_t)h->bias_input) : own ? remake_name(y, n, 2) : new_name(y);
    ok = add_drawn(y, name, add ? h->bias : h->node, add ? h->bias_input : 2, &t) &&
         (add                            ? edit_set_input(&y->e, add, (size_t)h->bias_input, name)
          : node_is(h->node, &op_matmul) ? insert_bias(y, n, name)
                                         : set_bias_input(y, n, name));
    budget_free(y->e.budget, name);
    return ok;
}

/* -- all of it -- */

static bool edit_all(struct remake *y, const struct map *values)
{
    Onnx__NodeProto *n = head_message(y->to, y->h->node);

    if (!give_weight(y, n) || !give_bias(y, n) || !remake_shapes(y) || !remake_activation(y))
        return false;
    remake_declarations(y, values);
    edit_drop_unread(&y->e);
    return true;
}

/* Are all outputs what they were, but for the classes? */
static bool check_outputs(const struct head *h, const struct remake *y, const struct program *before,
                          const struct program *after, struct report *r)
{
    for (size_t k = 0; k < h->graph->output_count; k++) {
        const struct value *v = h->graph->outputs[k];
        struct tensor want = before->types[v->id];
        const struct tensor *got = &after->types[y->to->graph->outputs[k]->id];
        char text[TYPE_TEXT], other[TYPE_TEXT];

        if (h->classes[v->id] >= 0 && want.rank > h->classes[v->id])
            want.dims[h->classes[v->id]] = y->units;
        if (h->classes[v->id] != CLASSES_LOST && tensor_known(&want) && !same_type(&want, got))
            return fail(r, KILN_UNSUPPORTED, NULL, "output '%s' is %s, must be %s", v->name, tensor_text(got, text),
                        tensor_text(&want, other));
    }
    return true;
}

/* With one size for what is open, and with another, where that can be planned at all. */
static bool check_plans(struct head *h, const struct remake *y, struct report *r)
{
    struct report quiet = { 0 };
    struct program *before = head_plan(h, h->graph, h->open + 1, &quiet);
    struct program *after = head_plan(h, y->to->graph, h->open, r);
    bool ok = after && check_outputs(h, y, h->types, after, r);

    program_free(after);
    after = ok && before ? head_plan(h, y->to->graph, h->open + 1, r) : NULL;
    ok = ok && (!before || (after && check_outputs(h, y, before, after, r)));
    program_free(after);
    program_free(before);
    return ok;
}

/* NULL with an error. */
static struct model *remake(struct remake *y, struct report *r)
{
    struct head *h = y->h;
    struct map values;
    bool ok;

    h->made_count = 0;
    y->to = model_copy(h->a->model, r);
    if (!y->to)
        return NULL;
    map_init(&values, &h->budget);
    ok = edit_begin(&y->e, y->to, r) && graph_names(h->graph, &values, r) && edit_all(y, &values);
    ok = edit_end(&y->e) && ok;
    map_release(&values);
    if (ok && head_forget(y->to, h, r) && model_build(y->to, r) && check_plans(h, y, r))
        return y->to;
    model_free(y->to);
    return NULL;
}

static const char *bias_done(const struct remake *y)
{
    return y->added ? "bias added, zeros" : "bias zeros";
}

static bool tell(const struct remake *y, int64_t classes)
{
    struct head *h = y->h;
    struct adapt *a = h->a;
    const struct node *act = h->activation;
    struct finding f = { .name = head_called(h->node), .certainty = CERTAIN };

    f.found = head_found(h);
    f.evidence = arena_printf(a->arena, a->report, "the last layer before output '%s'%s%s", h->output->name,
                              act ? ", through " : "", act ? act->op_name : "");
    f.done = arena_printf(a->arena, a->report, "%lld unit%s, weight %s, %s", (long long)y->units,
                          y->units == 1 ? "" : "s", y->rule, bias_done(y));
    if (!f.found || !f.evidence || !f.done || !adapt_tell(a, &f))
        return false;
    if (y->turned && !adapt_tell(a, &(struct finding){ .name = head_called(y->turned),
                                                       .found = "Reshape to the number of classes",
                                                       .evidence = "it is behind the head",
                                                       .done = "to the new number" }))
        return false;
    f = (struct finding){ .certainty = CERTAIN };
    if (y->activation) {
        f.name = head_called(act);
        f.found = arena_printf(a->arena, a->report, "%s of %lld unit%s", act->op_name, (long long)h->units,
                               h->units == 1 ? "" : "s");
        f.evidence =
            arena_printf(a->arena, a->report, "it is behind the head, of now %lld classes", (long long)classes);
        f.done = arena_printf(a->arena, a->report, "%s", y->activation->name);
        return f.found && f.evidence && f.done && adapt_tell(a, &f);
    }
    if (act && classes != y->units)
        return adapt_tell(a, &(struct finding){ .name = head_called(act),
                                                .found = "Sigmoid of one unit",
                                                .evidence = "one unit tells two classes apart",
                                                .done = "stays" });
    return true;
}

bool head_classes(struct head *h, int64_t classes)
{
    struct remake y = { .h = h };
    struct adapt *a = h->a;
    struct report quiet = { 0 };
    struct model *made;
    const char *what;

    h->made = arena_array(a->arena, 2, sizeof *h->made, a->report);
    what = arena_printf(a->arena, a->report, "the head, from node '%s' on", head_called(h->node));
    if (!h->made || !what || !choose_activation(&y, classes) || !check_classes(&y))
        return false;
    made = remake(&y, &quiet);
    if (!made)
        fail(a->report, quiet.error.code, quiet.error.where, "with %lld classes, %s", (long long)classes,
             quiet.error.message);
    return made && adapt_take_changed(a, made, true, what) && tell(&y, classes);
}
