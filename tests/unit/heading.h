/* What tests of heads share: a model that gets another one, and what is told of it. */
#ifndef KILN_TESTS_HEADING_H
#define KILN_TESTS_HEADING_H

#include "adapt/adapt.h"
#include "adapt/random.h"
#include "data/element.h"
#include "learning.h"
#include "model/message.h"
#include "ops/registry.h"
#include "scratch.h"
#include "train/decided.h"
#include "train/initialise.h"
#include "unit.h"
#include <math.h>

#define OPSET(n)   "<ir_version: 9, opset_import: [\"\": " #n "]>\n"
#define HEAD       OPSET(17)
#define ROWS(s, w) HEAD "g (float[N,4] x, float[4,3] u, " w ") => (float[N," s "] y)"
#define LAYER      "h = MatMul (x, u) r = Relu (h) "

static struct arena arena;
static struct adapted out;

/* Built, with values for all that has none. */
static inline struct model *model_of(const char *text)
{
    const struct initialise_options o = { .seed = 7 };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report), *drawn;
    size_t count;

    expect_ok(m && model_build(m, &report));
    drawn = model_initialise(m, &o, &count, &report);
    model_free(m);
    expect_ok(drawn && model_build(drawn, &report));
    return drawn;
}

static inline struct model *adapt(const struct model *m, struct adapt_options o)
{
    struct model *made;

    arena = (struct arena){ .budget = &budget };
    o.threads = 1;
    made = model_adapt(m, &o, &out, &arena, &report);
    if (!made)
        ck_assert(failed(&report));
    return made;
}

static inline void forget(struct model *m, struct model *made)
{
    model_free(made);
    model_free(m);
    arena_release(&arena);
}

static inline void refuse(const char *text, struct adapt_options o, kiln_status code, const char *part)
{
    struct model *m = model_of(text), *made = adapt(m, o);

    ck_assert_ptr_null(made);
    expect_error(code, part);
    forget(m, made);
}

static inline bool said(const char *part)
{
    for (size_t k = 0; k < out.findings.count; k++)
        if (strstr(out.findings.at[k].found, part) || strstr(out.findings.at[k].done, part))
            return true;
    return false;
}

/* The node of the head, by what is said of it. */
static inline const char *head_name(void)
{
    for (size_t k = 0; k < out.findings.count; k++)
        if (strncmp(out.findings.at[k].found, "head: ", 6) == 0)
            return out.findings.at[k].name;
    return "";
}

static inline const struct tensor *content(const struct model *m, const char *name)
{
    const struct value *v = graph_find(m->graph, name);

    ck_assert_msg(v && v->initializer, "there is no constant '%s'", name);
    return v->initializer;
}

static inline const char *text_of(const struct model *m, char buffer[4000])
{
    struct text t = { .budget = &budget, .report = &report };

    expect_ok(text_write_model(&t, m->proto, NULL, NULL));
    snprintf(buffer, 4000, "%s", t.data);
    text_release(&t);
    return buffer;
}

static inline void expect_text(const struct model *m, const char *part)
{
    char text[4000];

    ck_assert_msg(strstr(text_of(m, text), part), "no '%s' in %s", part, text);
}

/* Before the head everything is what it was: the first node that differs is the head. */
static inline void expect_same_before(const struct model *m, const struct model *made, const char *head)
{
    struct dataset data;
    struct calibration c = { .data = &data, .threads = 1 };
    const struct node *n;

    expect_ok(random_samples(&data, m, &budget, &report));
    n = compare_nodes(m, made, &c, 1e-7, &arena, &report);
    ck_assert(!failed(&report));
    ck_assert_msg(!n || (n->out[0] && strcmp(n->out[0]->name, head) == 0), "%s '%s' differs", n->op_name,
                  n->out[0]->name);
    dataset_release(&data);
}

static inline struct model *file_of(const char *text)
{
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    return m;
}

#endif
