#include "inspect/gradients.h"
#include "api/data.h"

struct kiln_gradients {
    struct gradients gradients;
    kiln_context *context;
    kiln_gradients_info info;
    kiln_gradient_target *targets; /* memory of the gradients' arena; below too */
    kiln_gradient_parameter *parameters;
    kiln_gradient_node *nodes;
    kiln_gradient_kept *kept;
};

static void describe_node(kiln_gradient_node *to, const struct gradient_node *n, const kiln_gradient_kept *kept)
{
    const struct flow_node *f = n->flow;

    *to = (kiln_gradient_node){ .name = f->name,
                                .op = f->node->op_name,
                                .depth = f->depth,
                                .flow = (kiln_flow)f->kind,
                                .why = f->why,
                                .behind = f->behind,
                                .far = f->far,
                                .goes_on_to = f->gives,
                                .values = f->give,
                                .kept = n->count,
                                .keep = kept + n->first };
}

static bool describe(kiln_gradients *to, struct report *r)
{
    struct gradients *g = &to->gradients;

    to->targets = arena_array(&g->arena, g->targets, sizeof *to->targets, r);
    to->parameters = arena_array(&g->arena, g->parameters, sizeof *to->parameters, r);
    to->nodes = arena_array(&g->arena, g->flows.count, sizeof *to->nodes, r);
    to->kept = arena_array(&g->arena, g->kept_count, sizeof *to->kept, r);
    if (!to->targets || !to->parameters || !to->nodes || !to->kept)
        return false;
    for (size_t k = 0; k < g->targets; k++)
        to->targets[k] = (kiln_gradient_target){ g->target[k].output, g->target[k].loss, g->target[k].from };
    for (size_t k = 0; k < g->parameters; k++) {
        const struct gradient_parameter *p = &g->parameter[k];

        to->parameters[k] = (kiln_gradient_parameter){ p->parameter->value->name,
                                                       p->type,
                                                       (kiln_role)p->parameter->role,
                                                       (kiln_flow)p->end.kind,
                                                       p->why,
                                                       p->end.node,
                                                       p->end.far };
    }
    for (size_t k = 0; k < g->kept_count; k++)
        to->kept[k] =
            (kiln_gradient_kept){ g->kept[k].name, g->kept[k].type, (kiln_keeping)g->kept[k].how, g->kept[k].bytes };
    for (size_t k = 0; k < g->flows.count; k++)
        describe_node(&to->nodes[k], &g->node[k], to->kept);
    to->info = (kiln_gradients_info){ g->batch,       g->recompute,    g->planned, g->bytes, g->again,
                                      g->arena_bytes, g->flows.others, g->error,   g->where };
    return true;
}

static bool find(kiln_gradients *g, const kiln_model *model, const kiln_trainer_options *o, int64_t batch,
                 struct report *r)
{
    struct trainer_options to = api_trainer_options(o);
    struct budget b = { .limit = o->memory, .total = to.total };
    struct arena scratch = { .budget = &b };
    bool ok;

    g->context = context_hold(o->context);
    ok = api_training_options(&to, o, model->model, &scratch, r) &&
         gradients_find(&g->gradients, model->model, &to, batch, r) && describe(g, r);
    arena_release(&scratch);
    return ok;
}

kiln_status kiln_gradients_new(kiln_gradients **out, const kiln_model *model, const kiln_trainer_options *options,
                               int64_t batch, kiln_error *err)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_status usable;
    kiln_gradients *g;
    struct report r;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    usable = api_check_model(model, err);
    if (usable != KILN_OK)
        return usable;
    if (options && !api_options(&o, sizeof o, options, "KILN_TRAINER_OPTIONS_INIT", err))
        return KILN_BAD_ARGUMENT;
    if (!api_check_limits(o.context, o.threads, o.seconds, err) || !api_check_training(&o, err))
        return KILN_BAD_ARGUMENT;
    if (batch < 1 || batch > INT32_MAX)
        return api_refuse(err, "batch is %lld, must be 1 to %d", (long long)batch, INT32_MAX);
    r = api_report_to(o.context, o.diagnostic, o.user);
    g = api_alloc(sizeof *g, &r);
    if (g && find(g, model, &o, batch, &r))
        *out = g;
    else
        kiln_gradients_free(g);
    return api_end(&r, *out, err);
}

void kiln_gradients_free(kiln_gradients *gradients)
{
    if (!gradients)
        return;
    gradients_release(&gradients->gradients);
    context_release(gradients->context);
    api_free(gradients);
}

const char *kiln_flow_name(kiln_flow flow)
{
    return flow <= KILN_FLOW_BLOCKED ? flow_name((enum flow_kind)flow) : "";
}

const kiln_gradients_info *kiln_gradients_about(const kiln_gradients *gradients)
{
    return gradients ? &gradients->info : NULL;
}

const char *kiln_gradients_input_type(const kiln_gradients *gradients, size_t k)
{
    return gradients && k < gradients->gradients.inputs ? gradients->gradients.input_types[k] : NULL;
}

size_t kiln_gradients_target_count(const kiln_gradients *gradients)
{
    return gradients ? gradients->gradients.targets : 0;
}

const kiln_gradient_target *kiln_gradients_target(const kiln_gradients *gradients, size_t k)
{
    return k < kiln_gradients_target_count(gradients) ? &gradients->targets[k] : NULL;
}

size_t kiln_gradients_parameter_count(const kiln_gradients *gradients)
{
    return gradients ? gradients->gradients.parameters : 0;
}

const kiln_gradient_parameter *kiln_gradients_parameter(const kiln_gradients *gradients, size_t k)
{
    return k < kiln_gradients_parameter_count(gradients) ? &gradients->parameters[k] : NULL;
}

size_t kiln_gradients_node_count(const kiln_gradients *gradients)
{
    return gradients ? gradients->gradients.flows.count : 0;
}

const kiln_gradient_node *kiln_gradients_node(const kiln_gradients *gradients, size_t k)
{
    return k < kiln_gradients_node_count(gradients) ? &gradients->nodes[k] : NULL;
}

const kiln_gradient_kept *kiln_gradients_loss(const kiln_gradients *gradients, size_t *count)
{
    if (count)
        *count = gradients ? gradients->gradients.loss.count : 0;
    return gradients ? gradients->kept + gradients->gradients.loss.first : NULL;
}

kiln_status kiln_gradients_write_json(const kiln_gradients *gradients, kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;

    if (!gradients || !write)
        return api_refuse(err, "%s is NULL", gradients ? "write" : "gradients");
    api_write_begin(&w, &gradients->gradients.budget, gradients->context);
    gradients_json(&gradients->gradients, &w.text);
    return api_write_end(&w, true, write, user, err);
}
