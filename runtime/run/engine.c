#include "run/engine.h"
#include "base/pool.h"
#include "kernels/kernels.h"
#include "run/profile.h"

bool engine_init(struct engine *e, struct budget *b, const struct engine_options *o, struct report *r)
{
    *b = budget_like(&o->limits);
    budget_start(b);
    *e = (struct engine){
        .kernels = kernels_get(), .budget = b, .prepared.budget = b, .exact = o->exact, .seed = o->seed
    };
    e->pool = o->pool ? pool_share(o->pool, b, r) : pool_new(o->threads, b, r);
    return e->pool;
}

void engine_release(struct engine *e)
{
    prepared_free(&e->prepared);
    profile_free(e->profile);
    pool_free(e->pool);
}

struct plan_context engine_context(const struct engine *e, struct report *r)
{
    return (struct plan_context){
        .kernels = e->kernels, .threads = pool_threads(e->pool), .budget = e->budget, .report = r, .exact = e->exact
    };
}
