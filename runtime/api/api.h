/* What stands behind the public types, and how a public function begins and ends. */
#ifndef KILN_API_H
#define KILN_API_H

#include "base/text.h"
#include "inspect/problems.h"
#include "model/files.h"
#include "model/model.h"
#include "run/session.h"
#include "tensor/heap.h"

/* A getter's result is the session's own struct tensor: this must hold nothing else. */
struct kiln_tensor {
    struct tensor tensor;
};

/* Freed with the last object that was made with it. */
struct kiln_context {
    struct budget budget; /* the total of all */
    struct cancel cancel;
    struct pool *pool; /* others share its threads */
    struct files files;
    bool files_apart;
    kiln_diagnostic_fn diagnostic;
    void *user;
    atomic_uint holders;
};

struct kiln_model {
    struct model *model; /* built, unless `error` tells why not */
    kiln_context *context;
    kiln_error error;
    struct problems problems;
    kiln_model_info info;
    kiln_value_info *inputs, *outputs; /* memory of the model's arena */
    size_t input_count, output_count;
    const struct value **initializers; /* likewise */
    size_t initializer_count;
};

/* Another holder, and one less; NULL is nobody. */
kiln_context *context_hold(kiln_context *context);
void context_release(kiln_context *context);
/* What the memory is charged to, beside an object's own budget; NULL for no context. */
static inline struct budget *context_total(kiln_context *context)
{
    return context ? &context->budget : NULL;
}

/* A model for the caller, built first where it is not: *out, or an error. `m` may be NULL, after a failure. With
 * `partial` one that cannot be built, because of what is in it, is none. */
kiln_status api_end_model(kiln_model **out, struct model *m, kiln_context *context, bool partial, struct report *r,
                          kiln_error *err);
/* What a value declares; names and dimensions belong to its graph. */
void api_describe_value(kiln_value_info *to, const struct value *v);
/* Is it a model that can be run? */
kiln_status api_check_model(const kiln_model *model, kiln_error *err);

/* Is a model saved as text, which must be a form for files? */
static inline bool api_form_is_text(kiln_form form, const char *path)
{
    return form == KILN_FORM_TEXT || (form == KILN_FORM_BY_NAME && path_is_text(path));
}

/* A report for work with the context, which may be NULL. */
static inline struct report api_report(kiln_context *context)
{
    if (!context)
        return (struct report){ 0 };
    return (struct report){ .notify = context->diagnostic,
                            .user = context->user,
                            .files = context->files_apart ? &context->files : NULL };
}
/* The same, where the options have a callback of their own. */
static inline struct report api_report_to(kiln_context *context, kiln_diagnostic_fn diagnostic, void *user)
{
    struct report r = api_report(context);

    if (diagnostic) {
        r.notify = diagnostic;
        r.user = user;
    }
    return r;
}

/* Copies what the caller's options say into a struct of `size` bytes; what they do not have is 0. Refused is a struct
 * without a size, and one with fields that are not known here and not 0. All options begin with their size. */
bool api_options(void *to, size_t size, const void *from, const char *init, kiln_error *err);
/* Threads and seconds, which several options have; with a context, whose threads they are. */
bool api_check_limits(const kiln_context *context, int threads, double seconds, kiln_error *err);

/* Zeroed memory that no budget counts, for the structs behind public types, which may hold their budget. */
void *api_alloc(size_t bytes, struct report *r);
void api_free(void *p);

/* Hands the report to the caller; the status. An error that nobody told of is one all the same. */
kiln_status api_end(const struct report *r, bool ok, kiln_error *err);
/* The same for an argument that is wrong, told by a message. */
kiln_status api_refuse(kiln_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text for the caller, which is made in memory first. */
struct writing {
    struct budget budget;
    struct report report;
    struct text text;
};
/* `like` has the limits, and what is charged too; NULL has none. */
void api_write_begin(struct writing *w, const struct budget *like, kiln_context *context);
/* Hands it over, where `ok`, and frees it. */
kiln_status api_write_end(struct writing *w, bool ok, kiln_write_fn write, void *user, kiln_error *err);
/* Of sessions and trainers; `profile` is NULL where nothing is remembered. */
kiln_status api_trace(const struct profile *profile, struct writing *w, kiln_write_fn write, void *user,
                      kiln_error *err);
kiln_status api_times(const struct profile *profile, bool by_node, kiln_time_fn each, void *user, kiln_error *err);

#endif
