#include "run/profile.h"
#include "api/api.h"
#include "base/cpu.h"
#include "run/machine.h"

void api_write_begin(struct writing *w, const struct budget *like, kiln_context *context)
{
    *w = (struct writing){ .report = api_report(context) };
    if (like)
        w->budget = budget_like(like);
    w->text = (struct text){ .budget = &w->budget, .report = &w->report };
}

kiln_status api_write_end(struct writing *w, bool ok, kiln_write_fn write, void *user, kiln_error *err)
{
    struct text *t = &w->text;

    ok = ok && !t->failed &&
         (write(user, t->data ? t->data : "", t->length) ||
          fail(&w->report, KILN_STOPPED, NULL, "stopped while writing"));
    text_release(t);
    return api_end(&w->report, ok, err);
}

kiln_status api_trace(const struct profile *profile, struct writing *w, kiln_write_fn write, void *user,
                      kiln_error *err)
{
    if (!write)
        return api_refuse(err, "write is NULL");
    if (!profile)
        return api_refuse(err, "there is no profile: it was not asked for");
    profile_trace(profile, &w->text);
    return api_write_end(w, true, write, user, err);
}

enum { MOST_TIMES = 4096 };

kiln_status api_times(const struct profile *profile, bool by_node, kiln_time_fn each, void *user, kiln_error *err)
{
    struct budget unlimited = { 0 };
    struct report r = { 0 };
    struct profile_total *totals;
    size_t n;
    bool ok = true;

    if (!each)
        return api_refuse(err, "each is NULL");
    if (!profile)
        return api_refuse(err, "there is no profile: it was not asked for");
    totals = budget_zalloc(&unlimited, MOST_TIMES, sizeof *totals, &r);
    n = !totals   ? 0
        : by_node ? profile_nodes(profile, totals, MOST_TIMES)
                  : profile_totals(profile, totals, MOST_TIMES);
    for (size_t k = 0; ok && k < n; k++) {
        const kiln_time time = { .op = totals[k].op,
                                 .node = totals[k].node,
                                 .shapes = totals[k].shapes,
                                 .calls = totals[k].calls,
                                 .nanoseconds = totals[k].nanoseconds,
                                 .flops = totals[k].cost.flops,
                                 .bytes = totals[k].cost.bytes };

        ok = each(user, &time) || fail(&r, KILN_STOPPED, NULL, "stopped");
    }
    budget_free(&unlimited, totals);
    return api_end(&r, ok && totals, err);
}

kiln_status kiln_machine_measure(kiln_context *context, double *flops, double *bytes, kiln_error *err)
{
    struct budget b = context ? budget_within(&context->budget) : (struct budget){ 0 };
    struct report r = api_report(context);
    struct machine_peak peak = { 0 };
    struct pool *pool;
    bool ok;

    budget_start(&b);
    pool = context ? pool_share(context->pool, &b, &r) : NULL;
    ok = (pool || !context) && machine_measure(&peak, pool, &b, &r);
    pool_free(pool);
    if (flops)
        *flops = ok ? peak.flops : 0;
    if (bytes)
        *bytes = ok ? peak.bytes : 0;
    return api_end(&r, ok, err);
}

const char *kiln_machine_isa(void)
{
    return cpu_level_name(cpu_level());
}
