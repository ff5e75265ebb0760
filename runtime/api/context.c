#include "api/api.h"
#include "model/file.h"

kiln_context *context_hold(kiln_context *context)
{
    if (context)
        atomic_fetch_add(&context->holders, 1);
    return context;
}

void context_release(kiln_context *context)
{
    if (!context || atomic_fetch_sub(&context->holders, 1) > 1)
        return;
    pool_free(context->pool);
    files_release(&context->files);
    api_free(context);
}

kiln_status kiln_context_new(kiln_context **out, const kiln_context_options *options, kiln_error *err)
{
    struct report r = { 0 };
    kiln_context_options o;
    kiln_context *c;

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!api_options(&o, sizeof o, options, "KILN_CONTEXT_OPTIONS_INIT", err) ||
        !api_check_limits(NULL, o.threads, 0, err))
        return KILN_BAD_ARGUMENT;
    c = api_alloc(sizeof *c, &r);
    if (!c)
        return api_end(&r, false, err);
    c->holders = 1;
    c->files_apart = o.files_apart;
    c->diagnostic = o.diagnostic;
    c->user = o.user;
    c->budget = (struct budget){ .limit = o.memory, .cancel = &c->cancel };
    c->pool = pool_new(o.threads, &c->budget, &r);
    if (c->pool)
        *out = c;
    else
        context_release(c);
    return api_end(&r, *out, err);
}

void kiln_context_free(kiln_context *context)
{
    context_release(context);
}

void kiln_context_cancel(kiln_context *context)
{
    if (context)
        cancel_request(&context->cancel);
}

void kiln_context_resume(kiln_context *context)
{
    if (context)
        cancel_reset(&context->cancel);
}

int kiln_context_threads(const kiln_context *context)
{
    return context ? pool_threads(context->pool) : 0;
}

size_t kiln_context_memory(const kiln_context *context, size_t *most)
{
    if (most)
        *most = context ? context->budget.peak : 0;
    return context ? context->budget.used : 0;
}

kiln_status kiln_file_claim(kiln_context *context, const char *path, kiln_file_use use, kiln_error *err)
{
    static const enum file_use uses[] = { [KILN_FILE_OUTPUT] = FILE_WRITE,
                                          [KILN_FILE_MODEL] = FILE_WRITE_MODEL,
                                          [KILN_FILE_LOG] = FILE_WRITE_LOG,
                                          [KILN_FILE_INPUT] = FILE_READ };
    struct report r = api_report(context);

    if (!path)
        return api_refuse(err, "path is NULL");
    if (use < KILN_FILE_OUTPUT || use > KILN_FILE_INPUT)
        return api_refuse(err, "use %d of a file is unknown", (int)use);
    return api_end(&r, use == KILN_FILE_INPUT ? file_look(path, &r) : file_claim(path, uses[use], &r), err);
}

kiln_status kiln_file_open_log(FILE **out, kiln_context *context, const char *path, kiln_error *err)
{
    struct report r = api_report(context);

    if (!out)
        return api_refuse(err, "out is NULL");
    *out = NULL;
    if (!path)
        return api_refuse(err, "path is NULL");
    *out = file_open_log(path, &r);
    return api_end(&r, *out, err);
}

kiln_status kiln_file_write(kiln_context *context, const char *path, const void *bytes, size_t count, kiln_error *err)
{
    struct report r = api_report(context);

    if (!path || (count && !bytes))
        return api_refuse(err, "%s is NULL", path ? "bytes" : "path");
    return api_end(&r, file_write(path, bytes, count, &r), err);
}
