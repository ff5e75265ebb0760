/* kiln inspect: what a model is made of. */
#include "adaptation.h"
#include "gradients.h"
#include "shapes.h"
#include <string.h>

enum form { FORM_TABLE, FORM_TEXT, FORM_PLAN, FORM_DOT, FORM_JSON };

struct options {
    const char *model;
    enum form form;
    bool full, train, recompute, gradients;
    int64_t batch;
    struct shapes shapes;
    struct limits limits;
};

struct inspection {
    const struct options *o;
    struct command command;
    kiln_model *model;
    kiln_summary *summary; /* of a table, JSON, a picture */
    kiln_gradients *flows; /* of --gradients */
};

/* A model that is not supported is looked at as far as it can be; parameters without a value are drawn. */
static bool open_any(struct inspection *i, bool partial)
{
    struct command *c = &i->command;
    kiln_load_options o = load_options(c);

    c->teller.file = i->o->model;
    o.partial = partial;
    o.diagnostic = tell_nothing;
    if (kiln_model_open(&i->model, i->o->model, &o, &c->err) != KILN_OK || !shapes_set(&i->o->shapes, c, &i->model))
        return false;
    return i->o->form == FORM_TEXT || fill_model(c, &i->model, 0, NULL);
}

/* -- for people -- */

/* "33,930" */
static const char *grouped(int64_t n, char buffer[32])
{
    char digits[24];
    const int count = snprintf(digits, sizeof digits, "%lld", (long long)n);
    int at = 0;

    for (int k = 0; k < count; k++) {
        if (k && (count - k) % 3 == 0)
            buffer[at++] = ',';
        buffer[at++] = digits[k];
    }
    buffer[at] = 0;
    return buffer;
}

static int column(int width, const char *s, int most)
{
    const int n = (int)strlen(s);

    return n > width && n <= most ? n : width;
}

static void put_header(const struct inspection *i, struct page *out)
{
    const kiln_model_info *m = kiln_model_about(i->model);
    const char *domain;
    int64_t version;

    page_say(out, "%s: IR %lld", i->o->model, (long long)m->ir_version);
    for (size_t k = 0; kiln_model_import(i->model, k, &domain, &version); k++)
        page_say(out, ", %s %lld", *domain ? domain : "ai.onnx", (long long)version);
    if (*m->producer_name)
        page_say(out, ", by %s %s", m->producer_name, m->producer_version);
    page_say(out, kiln_model_training_count(i->model) ? ", says how it is trained (training_info)\n" : "\n");
}

static void put_interface(const struct inspection *i, struct page *out)
{
    int width = 0;

    for (size_t k = 0; kiln_summary_input_type(i->summary, k); k++)
        width = column(width, kiln_model_input(i->model, k)->name, 40);
    page_say(out, "\nInputs\n");
    for (size_t k = 0; kiln_summary_input_type(i->summary, k); k++)
        page_say(out, "  %-*s  %s\n", width, kiln_model_input(i->model, k)->name,
                 kiln_summary_input_type(i->summary, k));
    width = 0;
    for (size_t k = 0; k < kiln_model_output_count(i->model); k++)
        width = column(width, kiln_model_output(i->model, k)->name, 40);
    page_say(out, "\nOutputs\n");
    for (size_t k = 0; k < kiln_model_output_count(i->model); k++)
        page_say(out, "  %-*s  %s\n", width, kiln_model_output(i->model, k)->name,
                 kiln_summary_output_type(i->summary, k));
}

static void put_layers(const struct inspection *i, struct page *out)
{
    const size_t count = kiln_summary_layer_count(i->summary);
    int name = 4, op = 8, type = 6;
    char number[32];

    for (size_t k = 0; k < count; k++) {
        const kiln_layer *l = kiln_summary_layer(i->summary, k);

        name = column(name - 2 * l->depth, l->name, 48) + 2 * l->depth;
        op = column(op, l->op, 32);
        type = column(type, l->type, 40);
    }
    page_say(out, "\n%-*s  %-*s  %-*s  %10s\n", name + 2, "Layers", op, "Operator", type, "Output", "Parameters");
    for (size_t k = 0; k < count; k++) {
        const kiln_layer *l = kiln_summary_layer(i->summary, k);
        const int64_t n = l->trainable + l->fixed;

        page_say(out, "  %*s%-*s  %-*s  ", 2 * l->depth, "", name - 2 * l->depth, l->name, op, l->op);
        if (n)
            page_say(out, "%-*s  %10s\n", type, l->type, grouped(n, number));
        else
            page_say(out, "%s\n", l->type);
    }
}

static void put_totals(const struct inspection *i, struct page *out)
{
    const int64_t trainable = kiln_summary_trainable(i->summary), fixed = kiln_summary_fixed(i->summary);
    char number[32];

    page_say(out, "\nTotal parameters      %12s\n", grouped(trainable + fixed, number));
    if (kiln_model_error(i->model))
        return;
    page_say(out, "Trainable             %12s\n", grouped(trainable, number));
    page_say(out, "Non-trainable         %12s\n", grouped(fixed, number));
}

/* "float[3,3]" */
static const char *parameter_type(const kiln_parameter *p, char buffer[256])
{
    int n = snprintf(buffer, 256, "%s[", kiln_dtype_name(p->dtype));

    for (int d = 0; d < p->rank && n < 200; d++)
        n += snprintf(buffer + n, 256 - (size_t)n, "%s%lld", d ? "," : "", (long long)p->dims[d]);
    snprintf(buffer + n, 256 - (size_t)n, "]");
    return buffer;
}

static void put_variables(const struct inspection *i, struct page *out, kiln_role role, const char *title)
{
    const size_t count = kiln_summary_parameter_count(i->summary);
    int name = 0, shape = 0;
    bool any = false;
    char type[256];

    for (size_t k = 0; k < count; k++) {
        const kiln_parameter *p = kiln_summary_parameter(i->summary, k);

        if (p->role != role)
            continue;
        any = true;
        name = column(name, p->name, 48);
        shape = column(shape, parameter_type(p, type), 40);
    }
    if (any)
        page_say(out, "\n%s\n", title);
    for (size_t k = 0; k < count; k++) {
        const kiln_parameter *p = kiln_summary_parameter(i->summary, k);

        if (p->role != role)
            continue;
        page_say(out, "  %-*s  %-*s  %s", name, p->name, shape, parameter_type(p, type), p->why);
        if (p->node)
            page_say(out, " '%s'", p->node);
        if (p->readers > 1)
            page_say(out, ", shared by %d nodes", p->readers);
        page_add(out, "\n", 1);
    }
}

static void put_problems(const struct inspection *i, struct page *out, bool unsupported)
{
    bool any = false;

    for (size_t k = 0; k < kiln_model_problem_count(i->model); k++) {
        const kiln_problem *p = kiln_model_problem(i->model, k);

        if ((p->code == KILN_UNSUPPORTED) != unsupported)
            continue;
        if (!any)
            page_say(out, "\n%s\n", unsupported ? "Not supported" : "Errors");
        any = true;
        page_say(out, "  %s%s%s", p->where, *p->where ? ": " : "", p->message);
        if (p->times > 1)
            page_say(out, " (and %d more like it)", p->times - 1);
        page_add(out, "\n", 1);
    }
    if (!any && unsupported && !kiln_model_error(i->model))
        page_say(out, "\nAll operators are supported.\n");
}

static void put_obstacles(const struct inspection *i, struct page *out)
{
    const size_t count = kiln_summary_obstacle_count(i->summary);

    if (count)
        page_say(out, "\nOperators without gradient\n");
    else if (!kiln_model_error(i->model))
        page_say(out, "All operators have a gradient.\n");
    for (size_t k = 0; k < count; k++) {
        const kiln_obstacle *o = kiln_summary_obstacle(i->summary, k);

        page_say(out, "  %s, %d node%s: %s%s\n", o->op, o->nodes, o->nodes == 1 ? "" : "s", o->reason,
                 o->in_the_way ? "; in the way of training" : "");
    }
}

static void put_table(const struct inspection *i, struct page *out)
{
    put_header(i, out);
    put_interface(i, out);
    put_layers(i, out);
    put_totals(i, out);
    put_variables(i, out, KILN_TRAINABLE, "Trainable variables");
    put_variables(i, out, KILN_STATISTIC, "Running statistics");
    put_variables(i, out, KILN_CONSTANT, "Constants, which do not train");
    put_problems(i, out, true);
    put_problems(i, out, false);
    put_obstacles(i, out);
}

/* -- other forms -- */

static const char *symbol_of(const kiln_value_info *v, int d)
{
    return v->dim_names ? v->dim_names[d] : NULL;
}

/* The dimension that has the samples, of which --batch says how many: that of the first input's symbol, else the first. */
static int samples_of(const kiln_value_info *first, const kiln_value_info *v)
{
    const char *samples = first->rank > 0 ? symbol_of(first, 0) : NULL;

    for (int d = 0; samples && d < v->rank; d++)
        if (symbol_of(v, d) && strcmp(symbol_of(v, d), samples) == 0)
            return d;
    return 0;
}

/* "input x, as the model leaves it open: N is 4, H is 1", and what --shape did not say becomes 1. */
static void close_input(const struct inspection *i, size_t k, struct shapes *to, struct page *out)
{
    const kiln_value_info *v = kiln_model_input(i->model, k);
    kiln_shape *shape = &to->of[to->count];
    int open = 0, others = 0;

    for (int d = 0; d < v->rank; d++) {
        const bool samples = d == samples_of(kiln_model_input(i->model, 0), v);
        const char *symbol = symbol_of(v, d);

        to->dims[to->count][d] = KILN_ANY;
        if (v->dims[d] != KILN_ANY)
            continue;
        if (open++)
            page_say(out, ", ");
        else
            page_say(out, "input %s, as the model leaves it open: ", v->name);
        if (symbol)
            page_say(out, "%s", symbol);
        else
            page_say(out, "dimension %d", d);
        page_say(out, " is %lld", samples ? (long long)i->o->batch : 1);
        others += !samples;
        to->dims[to->count][d] = samples ? KILN_ANY : 1;
    }
    if (open)
        page_say(out, "\n");
    *shape = (kiln_shape){ v->name, v->rank, to->dims[to->count] };
    to->count += others > 0;
}

/* Sizes that nobody has told are 1, and told. */
static bool close_sizes(struct inspection *i, struct page *out)
{
    static struct shapes shapes;

    shapes.count = 0;
    for (size_t k = 0; k < kiln_model_input_count(i->model) && shapes.count < MAX_SHAPES; k++)
        close_input(i, k, &shapes, out);
    return shapes_set(&shapes, &i->command, &i->model);
}

static bool put_training_plan(struct inspection *i, struct page *out)
{
    const kiln_value_info *first = kiln_model_input(i->model, 0);
    const int64_t told = first && first->rank > 0 ? first->dims[0] : KILN_ANY;
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_error *err = &i->command.err;
    kiln_trainer *t;
    bool ok;

    o.context = i->command.context;
    o.seconds = i->o->limits.seconds;
    o.diagnostic = tell_nothing;
    o.recompute = i->o->recompute;
    if (kiln_trainer_new(&t, i->model, &o, err) != KILN_OK)
        return false;
    ok = kiln_trainer_plan(t, told > 0 ? told : i->o->batch, page_write, out, err) == KILN_OK;
    kiln_trainer_free(t);
    return ok;
}

/* Sizes are told with the inputs' types. */
static bool put_flows(struct inspection *i, struct page *out)
{
    struct page said = { .command = &i->command };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_error *err = &i->command.err;
    const bool closed = close_sizes(i, &said);
    const kiln_value_info *first = kiln_model_input(i->model, 0);
    const int64_t told = first && first->rank > 0 ? first->dims[0] : KILN_ANY;

    page_free(&said);
    o.context = i->command.context;
    o.seconds = i->o->limits.seconds;
    o.diagnostic = tell_nothing;
    o.recompute = i->o->recompute;
    if (!closed || kiln_gradients_new(&i->flows, i->model, &o, told > 0 ? told : i->o->batch, err) != KILN_OK)
        return false;
    if (i->o->form == FORM_JSON)
        return kiln_gradients_write_json(i->flows, page_write, out, err) == KILN_OK;
    put_gradients(out, i->o->model, i->model, i->flows);
    return true;
}

static bool put_plan(struct inspection *i, struct page *out)
{
    kiln_session_options o = KILN_SESSION_OPTIONS_INIT;
    kiln_error *err = &i->command.err;
    kiln_session *s;
    bool ok;

    o.context = i->command.context;
    o.seconds = i->o->limits.seconds;
    if (kiln_session_new(&s, i->model, &o, err) != KILN_OK)
        return false;
    ok = kiln_session_plan(s, i->o->batch, page_write, out, err) == KILN_OK;
    kiln_session_free(s);
    return ok;
}

static bool put_summary(struct inspection *i, struct page *out)
{
    kiln_error *err = &i->command.err;

    if (kiln_summary_new(&i->summary, i->model, err) != KILN_OK)
        return false;
    if (i->o->form == FORM_DOT)
        return kiln_summary_write_dot(i->summary, page_write, out, err) == KILN_OK;
    if (i->o->form == FORM_JSON)
        return kiln_summary_write_json(i->summary, page_write, out, err) == KILN_OK;
    put_table(i, out);
    if (!kiln_model_error(i->model))
        adapt_hint(&i->command, i->model);
    return true;
}

static bool put_form(struct inspection *i, struct page *out)
{
    const kiln_form text = i->o->full ? KILN_FORM_TEXT : KILN_FORM_BRIEF;

    if (!open_any(i, i->o->form != FORM_PLAN && !i->o->gradients))
        return false;
    if (i->o->gradients)
        return put_flows(i, out);
    if (i->o->form == FORM_TEXT)
        return kiln_model_write(i->model, text, page_write, out, &i->command.err) == KILN_OK;
    if (i->o->form == FORM_PLAN)
        return close_sizes(i, out) && (i->o->train ? put_training_plan : put_plan)(i, out);
    return put_summary(i, out);
}

/* -- the verb -- */

enum { OPTION_FULL = 256, OPTION_TRAIN, OPTION_RECOMPUTE, OPTION_GRADIENTS };

/* What would do nothing is a mistake. */
static void check_options(struct options *o, struct argp_state *state)
{
    if (o->full && o->form != FORM_TEXT)
        argp_error(state, "--full needs --text");
    if (o->gradients && o->form != FORM_TABLE && o->form != FORM_JSON)
        argp_error(state, "--dot, --gradients, --plan and --text exclude each other");
    if (o->train && o->form != FORM_PLAN)
        argp_error(state, "--train needs --plan");
    if (o->batch && o->form != FORM_PLAN && !o->gradients)
        argp_error(state, "--batch needs --plan or --gradients");
    if (!o->batch)
        o->batch = 1;
    if (o->recompute && !o->train && !o->gradients)
        argp_error(state, "--recompute needs --train or --gradients");
}

static void set_form(struct options *o, enum form form, struct argp_state *state)
{
    if (o->form && o->form != form)
        argp_error(state, "--dot, --json, --plan and --text exclude each other");
    o->form = form;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 't':
        set_form(o, FORM_TEXT, state);
        return 0;
    case 'p':
        set_form(o, FORM_PLAN, state);
        return 0;
    case 'd':
        set_form(o, FORM_DOT, state);
        return 0;
    case 'j':
        set_form(o, FORM_JSON, state);
        return 0;
    case 'b':
        o->batch = option_number(state, "batch", arg, 1, INT32_MAX);
        return 0;
    case OPTION_TRAIN:
        o->train = true;
        return 0;
    case OPTION_RECOMPUTE:
        o->recompute = true;
        return 0;
    case OPTION_GRADIENTS:
        o->gradients = true;
        return 0;
    case OPTION_FULL:
        o->full = true;
        return 0;
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &o->limits;
        state->child_inputs[1] = &o->shapes;
        return 0;
    case ARGP_KEY_ARG:
        option_model(state, &o->model, arg);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return 0;
    case ARGP_KEY_END:
        check_options(o, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option argp_options[] = {
    { "text", 't', NULL, 0, "the model in the ONNX textual syntax, big tensors abbreviated", 1 },
    { "full", OPTION_FULL, NULL, 0, "with --text: all values of all tensors, so that it can be read back", 1 },
    { "plan", 'p', NULL, 0, "the program that is run: steps, places in memory, what was folded", 1 },
    { "train", OPTION_TRAIN, NULL, 0, "with --plan: a training step (Adam's), not inference", 1 },
    { "gradients", OPTION_GRADIENTS, NULL, 0,
      "where gradients flow in training, where they end and why, and what a step keeps for them; also with --json", 1 },
    { "recompute", OPTION_RECOMPUTE, NULL, 0,
      "with --train or --gradients: what is kept for the way back is made again", 1 },
    { "batch", 'b', "N", 0,
      "with --plan or --gradients: for this first dimension, where the model leaves it open (1); other dimensions "
      "are 1, or what "
      "--shape says",
      1 },
    { "dot", 'd', NULL, 0, "a picture for Graphviz", 1 },
    { "json", 'j', NULL, 0, "everything, for programs", 1 },
    { 0 },
};

static const struct argp argp = {
    argp_options,
    parse_option,
    "MODEL",
    "Tell what a model is made of: inputs, outputs, layers with shapes and parameters, what trains and why, "
    "operators that are not supported or have no gradient.",
    shaped_options,
    NULL,
    NULL
};

static int run(int argc, char **argv)
{
    struct options o = { 0 };
    static struct inspection i;
    struct page page = { .command = &i.command };
    bool ok;

    if (!options_parse(&argp, argc, argv, &o))
        return -KILN_NO_MEMORY;
    i.o = &o;
    i.command.limits = o.limits;
    ok = command_start(&i.command, 1) && put_form(&i, &page) && page_show(&page, &i.command);
    page_free(&page);
    if (ok && o.form != FORM_TEXT && kiln_model_error(i.model)) { /* told after what can be told */
        i.command.err = *kiln_model_error(i.model);
        ok = false;
    }
    kiln_summary_free(i.summary);
    kiln_gradients_free(i.flows);
    kiln_model_free(i.model);
    return command_end(&i.command, ok);
}

const struct verb verb_inspect = {
    "inspect",
    "tell what a model is made of",
    run,
    &argp,
    "Layers, shapes and parameters, then where gradients end, then the program that is run:\n"
    "    kiln inspect model.onnx\n"
    "    kiln inspect --gradients --batch 32 model.onnx\n"
    "    kiln inspect --plan --shape x=1x3x224x224 model.onnx\n",
};
