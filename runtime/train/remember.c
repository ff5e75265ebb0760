#include "train/remember.h"
#include "train/change.h"
#include "train/decided.h"

/* What is to be said of a target's loss, as --loss has it; NULL: what the output is tells it, or the file says it already,
 * or a file of its own defines it, which may not be there next time. */
static const char *spec_of(const struct target *to, const char *asked, struct arena *a, struct report *r)
{
    const struct loss *l = &to->loss;

    if (asked)
        return l->def->open ? NULL : asked;
    return l->guessed && l->logits && l->at == l->out ? arena_printf(a, r, "%s:from_logits=true", l->def->row.name)
                                                      : NULL;
}

bool losses_remember(struct trainer *t, const struct trainer_options *o, struct report *r)
{
    struct arena scratch = { .budget = &t->budget };
    const char **keys = arena_array(&scratch, t->target_count, sizeof *keys, r),
               **texts = arena_array(&scratch, t->target_count, sizeof *texts, r);
    struct model_changes c = { .keys = keys, .texts = texts };
    bool ok = keys && texts;

    for (size_t k = 0; ok && k < t->target_count; k++) {
        const char *spec = spec_of(&t->targets[k], o->targets ? o->target[k].loss : NULL, &scratch, r);

        ok = !failed(r);
        if (!ok || !spec)
            continue;
        keys[c.metadata] = arena_printf(&scratch, r, "%s%s", DECIDED_LOSS, t->targets[k].output->name);
        texts[c.metadata] = spec;
        ok = keys[c.metadata++];
    }
    ok = ok && (!c.metadata || model_set_metadata(t->model, &c, r));
    arena_release(&scratch);
    return ok;
}
