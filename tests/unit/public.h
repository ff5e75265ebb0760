/* For tests that are programs with nothing but kiln.h. */
#ifndef KILN_TESTS_PUBLIC_H
#define KILN_TESTS_PUBLIC_H

#include "kiln.h"
#include "unit.h"
#include <stdlib.h>
#include <string.h>

static kiln_error err;

static inline void expect(kiln_status got, kiln_status need, const char *part)
{
    ck_assert_msg(got == need && err.code == need && strstr(err.message, part), "%d (%d '%s: %s'), need %d '%s'", got,
                  err.code, err.where, err.message, need, part);
}

static inline void ok(kiln_status got)
{
    ck_assert_msg(got == KILN_OK, "%d '%s: %s'", got, err.where, err.message);
}

static inline kiln_model *open_text(const char *text)
{
    kiln_model *m;

    ok(kiln_model_open_memory(&m, text, strlen(text), NULL, &err));
    return m;
}

static inline kiln_tensor *floats(int rank, const int64_t *dims, const float *data)
{
    kiln_tensor *t;

    ok(kiln_tensor_new(&t, KILN_FLOAT, rank, dims, data, &err));
    return t;
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

/* It holds that, and is forgotten. */
static inline void expect_text(struct bytes *b, const char *part)
{
    ck_assert_msg(b->data && strstr(b->data, part), "no '%s' in:\n%s", part, b->data ? b->data : "");
    free(b->data);
    *b = (struct bytes){ 0 };
}

#endif
