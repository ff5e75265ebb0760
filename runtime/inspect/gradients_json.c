/* Where gradients flow, for programs. */
#include "base/json.h"
#include "inspect/gradients.h"

static void put_interface(struct json *j, const struct gradients *g)
{
    const struct graph *graph = g->trainer ? g->trainer->model->graph : g->model->graph;

    json_open(j, "inputs", '[');
    for (size_t k = 0; k < g->inputs; k++) {
        json_open(j, NULL, '{');
        json_string(j, "name", graph->inputs[k]->name);
        json_string(j, "type", g->input_types[k]);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "learns", '[');
    for (size_t k = 0; k < g->targets; k++) {
        json_open(j, NULL, '{');
        json_string(j, "output", g->target[k].output);
        json_string(j, "loss", *g->target[k].loss ? g->target[k].loss : NULL);
        json_string(j, "from", g->target[k].from);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_number(struct json *j, const char *key, int64_t n)
{
    if (n >= 0)
        json_int(j, key, n);
    else
        json_string(j, key, NULL);
}

static void put_parameters(struct json *j, const struct gradients *g)
{
    json_open(j, "parameters", '[');
    for (size_t k = 0; k < g->parameters; k++) {
        const struct gradient_parameter *p = &g->parameter[k];

        json_open(j, NULL, '{');
        json_string(j, "name", p->parameter->value->name);
        json_string(j, "type", p->type);
        json_string(j, "role", role_name(p->parameter->role));
        json_string(j, "flow", flow_name(p->end.kind));
        json_string(j, "reason", p->why);
        put_number(j, "node", p->end.node);
        json_int(j, "far", p->end.far);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_kept(struct json *j, const struct gradients *g, const struct gradient_node *n)
{
    json_open(j, "keeps", '[');
    for (size_t k = n->first; k < n->first + n->count; k++) {
        json_open(j, NULL, '{');
        json_string(j, "name", g->kept[k].name);
        json_string(j, "type", g->kept[k].type);
        json_string(j, "how", keeping_name(g->kept[k].how));
        put_number(j, "bytes", g->kept[k].bytes);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void put_nodes(struct json *j, const struct gradients *g)
{
    json_open(j, "loss", '{');
    put_kept(j, g, &g->loss);
    json_close(j, '}');
    json_open(j, "nodes", '[');
    for (size_t k = 0; k < g->flows.count; k++) {
        const struct flow_node *n = g->node[k].flow;

        json_open(j, NULL, '{');
        json_int(j, "number", (int64_t)k);
        json_string(j, "name", n->name);
        json_string(j, "operator", n->node->op_name);
        json_int(j, "depth", n->depth);
        json_string(j, "flow", flow_name(n->kind));
        json_string(j, "reason", n->why);
        put_number(j, "behind", n->behind);
        json_int(j, "far", n->far);
        json_open(j, "goes_on_to", '[');
        for (size_t i = 0; i < n->gives; i++)
            json_string(j, NULL, n->give[i]);
        json_close(j, ']');
        put_kept(j, g, &g->node[k]);
        json_close(j, '}');
    }
    json_close(j, ']');
}

void gradients_json(const struct gradients *g, struct text *out)
{
    struct json j = { .out = out };

    json_open(&j, NULL, '{');
    json_int(&j, "batch", g->batch);
    json_bool(&j, "recompute", g->recompute);
    put_interface(&j, g);
    put_parameters(&j, g);
    put_nodes(&j, g);
    json_int(&j, "other_nodes", (int64_t)g->flows.others);
    json_bool(&j, "planned", g->planned);
    json_int(&j, "kept_bytes", g->bytes);
    json_int(&j, "made_again_bytes", g->again);
    json_int(&j, "step_bytes", g->arena_bytes);
    json_string(&j, "error", *g->error ? g->error : NULL);
    json_string(&j, "error_where", *g->where ? g->where : NULL);
    json_close(&j, '}');
}
