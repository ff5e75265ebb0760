/* A model written as text, and a session that runs it. */
#ifndef KILN_TESTS_FIXTURE_H
#define KILN_TESTS_FIXTURE_H

#include "kernels/kernels.h"
#include "model/model.h"
#include "run/session.h"
#include "unit.h"
#include <string.h>

struct fixture {
    struct report report;
    struct model *model;
    struct session *session;
};

__attribute__((unused)) static void begin(struct fixture *f, const char *text)
{
    memset(f, 0, sizeof *f);
    f->model = model_read_bytes(text, strlen(text), NULL, &f->report);
    ck_assert_msg(f->model && model_build(f->model, &f->report), "%s: %s", f->report.error.where,
                  f->report.error.message);
    f->session = session_new(f->model->graph, &(struct session_options){ .threads = 1 }, &f->report);
    ck_assert_ptr_nonnull(f->session);
}

__attribute__((unused)) static void end(struct fixture *f)
{
    session_free(f->session);
    model_free(f->model);
}

__attribute__((unused)) static void set(struct fixture *f, const char *name, enum dtype dtype, int rank,
                                        const int64_t *dims, void *data)
{
    struct tensor t;

    ck_assert(tensor_shape(&t, dtype, rank, dims));
    t.data = data;
    ck_assert_msg(session_set(f->session, graph_find(f->model->graph, name), &t, &f->report), "%s",
                  f->report.error.message);
}

__attribute__((unused)) static void run_ok(struct fixture *f)
{
    ck_assert_msg(session_run(f->session, &f->report), "%s: %s", f->report.error.where, f->report.error.message);
}

__attribute__((unused)) static void run_fails(struct fixture *f, kiln_status code, const char *part)
{
    ck_assert(!session_run(f->session, &f->report));
    ck_assert_int_eq(f->report.error.code, code);
    ck_assert_msg(strstr(f->report.error.message, part) != NULL, "%s", f->report.error.message);
}

__attribute__((unused)) static const float *floats(struct fixture *f, size_t k, int64_t count)
{
    const struct tensor *t = session_output(f->session, k);

    ck_assert_int_eq(t->dtype, F32);
    ck_assert_int_eq(tensor_count(t), count);
    return t->data;
}

#endif
