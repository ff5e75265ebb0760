#include "api.h"

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
