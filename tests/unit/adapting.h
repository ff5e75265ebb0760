/* What tests of adapting share: a file as an exporter leaves it, what is asked for, and what comes out. */
#ifndef KILN_TESTS_ADAPTING_H
#define KILN_TESTS_ADAPTING_H

#include "adapt/adapt.h"
#include "adapt/random.h"
#include "data/element.h"
#include "model/message.h"
#include "scratch.h"
#include "train/edit.h"
#include "train/trainable.h"
#include <math.h>

#define HEAD     "<ir_version: 8, opset_import: [\"\": 17]>\n"
#define FROM(by) "<ir_version: 8, opset_import: [\"\": 17], producer_name: \"" by "\">\n"
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

enum { MOST_CHOICES = 4, MOST_VALUES = 6, MOST_CHANNELS = 4 };

struct adapt_case {
    const char *text;
    struct adapt_options o;
    bool blind;     /* no data are given */
    const char *as; /* "NAME=CHOICE;..." */
    struct {
        int node; /* -1: the model's own */
        const char *key, *value;
    } metadata, more;  /* that the text has no place for */
    const char *found; /* "NAME: FOUND (CERTAINTY): DONE\n", but for what is told of all files */
    const char *ops;   /* of the nodes that come out; NULL: the graph stays as it is */
    double epsilon, momentum;
    const char *absent; /* there is no such value */
    double near;        /* the difference of outputs, at most; 0: 1e-5 */
    struct {
        const char *name;
        const char *role;
        double at[MOST_CHANNELS]; /* NAN: not compared, as are all where the first is */
    } values[MOST_VALUES];
    kiln_status code; /* the error, and what it says */
    const char *says;
};

static struct arena arena;
static struct adapted got;

__attribute__((unused)) static struct model *model_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

static void add_metadata(struct model *m, int node, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *e = message_new(&onnx__string_string_entry_proto__descriptor, &m->budget, &report);
    Onnx__NodeProto *n = node >= 0 ? m->proto->graph->node[node] : NULL;
    Onnx__StringStringEntryProto ***list = n ? &n->metadata_props : &m->proto->metadata_props;
    size_t *count = n ? &n->n_metadata_props : &m->proto->n_metadata_props, room = *count;

    expect_ok(e && (e->key = message_string(key, strlen(key), &m->budget, &report)) &&
              (e->value = message_string(value, strlen(value), &m->budget, &report)) &&
              budget_grow(&m->budget, list, &room, *count + 1, sizeof **list, &report));
    (*list)[(*count)++] = e;
}

/* Random samples are the data, unless the case gives some. */
static struct model *adapt_over(const struct model *m, struct adapt_options o, bool blind)
{
    struct dataset random;
    struct model *made;
    const bool draw = !blind && !o.data;

    arena = (struct arena){ .budget = &budget };
    o.threads = 1;
    if (draw) {
        expect_ok(random_samples(&random, m, &budget, &report));
        o.data = &random;
    }
    made = model_adapt(m, &o, &got, &arena, &report);
    ck_assert(made || failed(&report));
    if (draw)
        dataset_release(&random);
    return made;
}

/* "NAME=CHOICE;..." in a copy that is cut. */
static size_t read_choices(const char *as, char cut[200], struct adapt_choice out[MOST_CHOICES])
{
    size_t count = 0;

    snprintf(cut, 200, "%s", as ? as : "");
    for (char *at = strtok(cut, ";"); at; at = strtok(NULL, ";")) {
        char *equals = strrchr(at, '=');

        ck_assert(equals && count < MOST_CHOICES);
        *equals = 0;
        out[count++] = (struct adapt_choice){ at, equals + 1 };
    }
    return count;
}

/* What was found, a line each; what is told of all files is left out. */
__attribute__((unused)) static void list_findings(char *out, size_t size)
{
    size_t n = 0;

    *out = 0;
    for (size_t k = 0; k < got.findings.count && n < size; k++) {
        const struct finding *f = &got.findings.at[k];

        if (*f->name && strcmp(f->found, "the loss") != 0 && strcmp(f->found, "labels that it does not fit") != 0)
            n += (size_t)snprintf(out + n, size - n, "%s: %s (%s): %s\n", f->name, f->found,
                                  certainty_names[f->certainty], f->done);
    }
}

__attribute__((unused)) static void expect_ops(const struct model *m, const char *want)
{
    const Onnx__GraphProto *g = m->proto->graph;
    char ops[1000] = "";
    size_t n = 0;

    for (size_t k = 0; k < g->n_node; k++)
        n += (size_t)snprintf(ops + n, sizeof ops - n, "%s%s", k ? " " : "", g->node[k]->op_type);
    ck_assert_str_eq(ops, want);
}

__attribute__((unused)) static void expect_values(const struct model *m, const char *name, const double *want)
{
    const struct value *v = graph_find(m->graph, name);
    element_get *get;

    ck_assert_msg(v && v->initializer, "there is no constant '%s'", name);
    get = element_getter(v->initializer->dtype);
    for (int64_t k = 0; k < tensor_count(v->initializer) && k < MOST_CHANNELS && !isnan(want[0]); k++)
        ck_assert_msg(fabs(get(v->initializer->data, k) - want[k]) <= 2e-6 * fmax(1, fabs(want[k])),
                      "element %lld of '%s' is %.9g, must be %.9g", (long long)k, name, get(v->initializer->data, k),
                      want[k]);
}

__attribute__((unused)) static const struct parameter *parameter_of(const struct parameters *p, const char *name)
{
    for (size_t k = 0; k < p->count; k++)
        if (strcmp(p->at[k].value->name, name) == 0)
            return &p->at[k];
    ck_abort_msg("there is no parameter '%s'", name);
}

static void expect_parameters(const struct model *m, const struct adapt_case *c)
{
    struct parameters p;

    expect_ok(parameters_find(&p, m, NULL, &arena, &report));
    for (int k = 0; k < MOST_VALUES && c->values[k].name; k++) {
        expect_values(m, c->values[k].name, c->values[k].at);
        if (c->values[k].role)
            ck_assert_msg(strcmp(role_name(parameter_of(&p, c->values[k].name)->role), c->values[k].role) == 0,
                          "'%s' is %s", c->values[k].name, role_name(parameter_of(&p, c->values[k].name)->role));
    }
}

static void expect_attribute(const struct model *m, const char *name, double want)
{
    const Onnx__GraphProto *g = m->proto->graph;
    const Onnx__AttributeProto *a = NULL;

    for (size_t k = 0; k < g->n_node && !a; k++)
        if (strcmp(g->node[k]->op_type, "BatchNormalization") == 0)
            a = node_attribute(g->node[k], name);
    ck_assert(a);
    ck_assert_float_eq(a->f, (float)want);
}

static size_t count_missed(void)
{
    size_t count = 0;

    for (size_t k = 0; k < got.findings.count; k++)
        count += strcmp(got.findings.at[k].found, "BatchNormalization that was not recovered") == 0;
    return count;
}

/* A second time there is nothing left to be done. */
static void expect_again(struct model *made, size_t missed)
{
    struct model *again = adapt_over(made, (struct adapt_options){ 0 }, true);

    expect_ok(again);
    ck_assert_uint_eq(got.normalizations, 0);
    ck_assert_uint_eq(count_missed(), missed);
    ck_assert(message_equal(made->proto, again->proto));
    model_free(again);
    arena_release(&arena);
}

__attribute__((unused)) static void expect_case(const struct adapt_case *c)
{
    struct model *m = model_read_bytes(c->text, strlen(c->text), NULL, &report), *made;
    struct adapt_choice choices[MOST_CHOICES];
    struct adapt_options o = c->o;
    char cut[200], found[2000];
    size_t missed = 0;

    expect_ok(m);
    if (c->metadata.key)
        add_metadata(m, c->metadata.node, c->metadata.key, c->metadata.value);
    if (c->more.key)
        add_metadata(m, c->more.node, c->more.key, c->more.value);
    expect_ok(model_build(m, &report));
    o.choice_count = read_choices(c->as, cut, choices);
    o.choices = choices;
    made = adapt_over(m, o, c->blind);
    if (c->code) {
        ck_assert_ptr_null(made);
        expect_error(c->code, c->says);
    } else {
        expect_ok(made);
        missed = count_missed();
        list_findings(found, sizeof found);
        ck_assert_str_eq(found, c->found);
        ck_assert(got.measured == !c->blind && got.outputs.difference <= (c->near > 0 ? c->near : 1e-5));
        if (c->ops)
            expect_ops(made, c->ops);
        else
            ck_assert(message_equal(m->proto->graph, made->proto->graph));
        expect_parameters(made, c);
        ck_assert(!c->absent || !graph_find(made->graph, c->absent));
        if (c->epsilon > 0)
            expect_attribute(made, "epsilon", c->epsilon);
        if (c->momentum > 0)
            expect_attribute(made, "momentum", c->momentum);
    }
    arena_release(&arena);
    if (made && !c->as && c->o.folded == FOLDED_NAMED)
        expect_again(made, missed);
    model_free(made);
    model_free(m);
}

#endif
