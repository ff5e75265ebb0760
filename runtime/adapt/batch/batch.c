/* The number of samples that a file fixes: constants that fix it are freed, where what comes out does the same. */
#include "adapt/batch/batch.h"
#include "kernels/kernels.h"
#include "ops/op.h"
#include "train/batch_size.h"
#include <string.h>

enum { SHOWN = 3 }; /* mends that are told of, each; of the others only how many there are */

/* -- telling -- */

static void show_vector(struct text *t, const struct tensor *v)
{
    enum { MOST = 8 };
    const int64_t n = tensor_count(v);

    text_say(t, "[");
    for (int64_t k = 0; k < n && k < MOST; k++)
        text_say(t, "%s%lld", k ? "," : "",
                 (long long)(v->dtype == I64 ? ((const int64_t *)v->data)[k] : ((const int32_t *)v->data)[k]));
    text_say(t, n > MOST ? ",...]" : "]");
}

static void show_mend(struct text *t, const struct batch *b, const struct mend *m)
{
    const struct node *n = m->node;
    const char *name = *n->name ? n->name : n->out[0]->name;

    text_say(t, "%s '%s' has ", n->op_name, name);
    if (m->kind == MEND_ENTRY || m->kind == MEND_BOUND)
        show_vector(t, batch_constant(b, n, m->input));
    else
        text_say(t, "'%s' for %lld sample%s", n->in[m->input]->name, (long long)b->size, b->size == 1 ? "" : "s");
}

/* Could some mend as well be another one? */
static bool is_unsure(const struct batch *b)
{
    bool unsure = false;

    for (size_t k = 0; k < b->mend_count; k++)
        unsure = unsure || b->mends[k].unsure;
    return unsure;
}

static size_t count_mends(const struct batch *b)
{
    size_t n = 0;

    for (size_t k = 0; k < b->mend_count; k++)
        n += b->mends[k].kind != MEND_NOTHING;
    return n;
}

/* What shows that the batch is fixed. */
static void show_evidence(struct text *t, const struct batch *b)
{
    const size_t count = count_mends(b);
    size_t shown = 0;
    char type[TYPE_TEXT];

    for (size_t k = 0; k < b->mend_count && shown < SHOWN; k++)
        if (b->mends[k].kind != MEND_NOTHING) {
            text_say(t, shown++ ? "; " : "");
            show_mend(t, b, &b->mends[k]);
        }
    if (count > shown)
        text_say(t, "; and %zu more", count - shown);
    if (shown)
        return;
    if (b->stuck)
        text_say(t, "%s%s%s", b->where ? b->where : "", b->where ? ": " : "", b->stuck);
    else
        text_say(t, "the input is %s", tensor_text(&b->graph->inputs[0]->type, type));
}

static bool tell(struct batch *b, const char *done)
{
    struct adapt *a = b->adapt;
    const bool fixed = b->stuck || count_mends(b);
    struct text evidence = { .budget = &b->budget, .report = a->report };
    struct finding f = { .name = b->graph->inputs[0]->name,
                         .certainty = is_unsure(b) ? LIKELY : CERTAIN,
                         .done = done };
    bool ok;

    show_evidence(&evidence, b);
    f.found = arena_printf(&b->arena, a->report, fixed ? "the batch is fixed to %lld" : "the batch is declared as %lld",
                           (long long)b->size);
    f.evidence = evidence.data;
    ok = !evidence.failed && f.found && done && adapt_tell(a, &f);
    text_release(&evidence);
    return ok;
}

/* What others do with a file that stays as it is. NULL with an error. */
static const char *consequence(struct batch *b)
{
    struct report *r = b->adapt->report, quiet = { 0 };
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &b->budget, .report = &quiet };
    int64_t only;
    bool ok;

    budget_start(&b->budget);
    ok = batch_size_find(b->graph, b->x, &c, &only);
    budget_stop(&b->budget);
    if (!ok) {
        fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
        return NULL;
    }
    return only ? arena_printf(&b->arena, r, "train, eval and calibrate take batches of %lld", (long long)only)
                : "train, eval and calibrate take any batch all the same: the network passes it, as one whole";
}

static bool tell_kept(struct batch *b)
{
    struct report *r = b->adapt->report;
    const char *then = b->stuck || count_mends(b) ? consequence(b) : "";

    if (!then)
        return false;
    if (b->stuck && !b->adapt->options->keep_batch)
        return tell(b, arena_printf(&b->arena, r, "stays: %s%s%s; %s", b->where ? b->where : "", b->where ? ": " : "",
                                    b->stuck, then));
    if (*then)
        return tell(b, arena_printf(&b->arena, r, "stays, as was asked for; %s", then));
    return tell(b, "stays, as was asked for");
}

static bool tell_freed(struct batch *b, size_t declared, int64_t samples)
{
    const size_t mends = count_mends(b);

    return tell(b, arena_printf(&b->arena, b->adapt->report,
                                "freed: %zu constant%s, %zu declared shape%s; 1 batch of %lld equals %lld runs of %lld",
                                mends, mends == 1 ? "" : "s", declared, declared == 1 ? "" : "s", (long long)samples,
                                (long long)samples, (long long)b->size));
}

/* -- what cannot be freed -- */

/* What is drawn for each run is no function of the samples that could be compared. Dropout draws only while training. */
static void find_random(struct batch *b)
{
    char where[WHERE_TEXT];

    for (size_t k = 0; k < b->graph->node_count && !b->stuck; k++) {
        const struct node *n = b->graph->nodes[k];

        if (!n->def || !(n->def->flags & OP_RANDOM) || node_elementwise(n))
            continue;
        b->stuck = "it draws random numbers";
        b->where = arena_printf(&b->arena, b->adapt->report, "%s", node_where(n, where));
    }
}

/* Does the freed model take any batch, and do the outputs follow? */
static bool check_plans(struct batch *b, const struct model *freed)
{
    const int64_t sizes[] = { 1, b->size, b->size + 1, 2 * b->size + 1 };
    struct report *r = b->adapt->report;

    for (size_t s = 0; !b->stuck && s < sizeof sizes / sizeof *sizes; s++) {
        struct report quiet = { 0 };
        struct program *p = batch_plan(b, freed->graph, sizes[s], &quiet);

        if (!p && !batch_misfit(&quiet))
            return fail(r, quiet.error.code, quiet.error.where, "%s", quiet.error.message);
        if (!p) {
            b->where = arena_string(&b->arena, quiet.error.where, strlen(quiet.error.where), r);
            b->stuck = arena_string(&b->arena, quiet.error.message, strlen(quiet.error.message), r);
        }
        for (size_t k = 0; p && !b->stuck && k < b->graph->output_count; k++) {
            const struct value *v = b->graph->outputs[k];
            const struct tensor *got = &p->types[freed->graph->outputs[k]->id], *file = &b->file->types[v->id];
            const int dim = b->track[v->id].dim;
            const struct tensor want = dim < 0 ? *file : batch_scaled(b, file, dim, sizes[s]);

            if (tensor_known(got) && tensor_known(&want) && !same_shape(got, &want))
                b->stuck = arena_printf(&b->arena, r, "output '%s' does not follow the samples", v->name);
        }
        program_free(p);
    }
    return !failed(r);
}

/* -- the step -- */

/* The model is freed; where that is not the same, it stays what it was. */
static bool set_free(struct batch *b)
{
    struct adapt *a = b->adapt;
    const struct model *before = a->model;
    struct model *m = adapt_copy(a);
    int64_t samples;
    size_t declared;
    const bool ok = m && batch_edit(b, m, &declared);

    if (!adapt_take(a, m, ok) || !check_plans(b, a->model) || (!b->stuck && !batch_prove(b, a->model, &samples)))
        return false;
    if (b->stuck) {
        a->model = before;
        return tell_kept(b);
    }
    /* what is left open is run with batches that fit the freed one alone, which has been shown to be the same */
    if (!b->told && a->reference == before)
        a->reference = a->model;
    return tell_freed(b, declared, samples);
}

static bool free_batch(struct batch *b)
{
    if (!batch_follow(b))
        return false;
    if (!b->told && !b->stuck && !count_mends(b)) /* what draws for any batch is fixed to none */
        return true;
    find_random(b);
    return b->stuck || b->adapt->options->keep_batch ? tell_kept(b) : set_free(b);
}

bool adapt_batch(struct adapt *a)
{
    struct batch b;
    const bool ok = batch_begin(&b, a) && (!b.size || free_batch(&b));

    batch_end(&b);
    return ok;
}
