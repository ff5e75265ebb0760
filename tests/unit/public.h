/* For tests that are programs with nothing but kiln.h. */
#ifndef KILN_TESTS_PUBLIC_H
#define KILN_TESTS_PUBLIC_H

#include "kiln.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HEAD "<ir_version: 8, opset_import: [\"\": 17]>\n"

static kiln_error err;

static inline void expect(kiln_status got, kiln_status need, const char *part)
{
    ck_assert_msg(got == need && err.code == need && strstr(err.message, part), "%d (%d '%s: %s'), need %d '%s'", got,
                  err.code, err.where, err.message, need, part);
}

static inline void ok(kiln_status got)
{
    ck_assert_msg(got == KILN_OK, "%d '%s: %s'", got, err.where, err.message);
    ck_assert_int_eq(err.code, KILN_OK);
    ck_assert_int_eq(err.count, 0);
}

static inline kiln_model *open_text(const char *text)
{
    kiln_model *m;

    ok(kiln_model_open_memory(&m, text, strlen(text), NULL, &err));
    return m;
}

static inline kiln_context *new_context(int threads, size_t memory)
{
    kiln_context_options o = KILN_CONTEXT_OPTIONS_INIT;
    kiln_context *c;

    o.threads = threads;
    o.memory = memory;
    ok(kiln_context_new(&c, &o, &err));
    return c;
}

static inline kiln_model *open_within(kiln_context *context, const char *text)
{
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    kiln_model *m;

    o.context = context;
    ok(kiln_model_open_memory(&m, text, strlen(text), &o, &err));
    return m;
}

/* Of a thread beside the one that computes. */
static inline void *cancel_soon(void *context)
{
    const struct timespec soon = { .tv_nsec = 30000000 };

    nanosleep(&soon, NULL);
    kiln_context_cancel(context);
    return NULL;
}

static const int64_t one_by_two[] = { 1, 2 }, two_by_two[] = { 2, 2 };
static const float one_to_four[] = { 1, 2, 3, 4 };

static inline kiln_tensor *floats(int rank, const int64_t *dims, const float *data)
{
    kiln_tensor *t;

    ok(kiln_tensor_new(&t, KILN_FLOAT, rank, dims, data, &err));
    return t;
}

/* `count` samples of `width` numbers, each with a class; they need not stay. */
static inline kiln_dataset *samples_of(int64_t count, int64_t width, float *x, int64_t *classes,
                                       const kiln_data_options *o)
{
    const int64_t dims[] = { count, width };
    kiln_tensor *tx, *ty;
    kiln_dataset *d;

    ok(kiln_tensor_wrap(&tx, KILN_FLOAT, 2, dims, x, (size_t)(count * width) * sizeof *x, &err));
    ok(kiln_tensor_wrap(&ty, KILN_INT64, 1, dims, classes, (size_t)count * sizeof *classes, &err));
    ok(kiln_dataset_new(&d, tx, ty, o, &err));
    kiln_tensor_free(tx);
    kiln_tensor_free(ty);
    return d;
}

static inline const float *floats_of(const kiln_tensor *t)
{
    ck_assert_ptr_nonnull(t);
    return kiln_tensor_data(t);
}

/* What a kiln_write_fn was given; ended by NUL. Stops before it would hold more than `most`; 0: never. */
struct bytes {
    char *data;
    size_t count, most;
};

static inline bool take(void *user, const void *bytes, size_t count)
{
    struct bytes *b = user;

    if (b->most && b->count + count > b->most)
        return false;
    b->data = realloc(b->data, b->count + count + 1);
    memcpy(b->data + b->count, bytes, count);
    b->count += count;
    b->data[b->count] = 0;
    return true;
}

/* Belongs to the caller. */
static inline char *text_of(const kiln_model *m, kiln_form form)
{
    struct bytes b = { 0 };

    ok(kiln_model_write(m, form, take, &b, &err));
    return b.data;
}

/* It holds that, and is forgotten. */
static inline void expect_text(struct bytes *b, const char *part)
{
    ck_assert_msg(b->data && strstr(b->data, part), "no '%s' in:\n%s", part, b->data ? b->data : "");
    free(b->data);
    *b = (struct bytes){ 0 };
}

#endif
