#include "adapt/finding.h"
#include <string.h>

const char *const certainty_names[CERTAINTIES] = { "certain", "likely", "doubtful" };

static bool copy(struct findings *f, const char **text, struct report *r)
{
    if (!*text)
        return true;
    *text = arena_string(f->arena, *text, strlen(*text), r);
    return *text;
}

bool findings_add(struct findings *f, const struct finding *found, struct report *r)
{
    struct finding *to;

    if (f->count == f->room) { /* what was there stays in the arena: each doubling leaves half of it behind */
        const size_t room = f->room ? 2 * f->room : 16;
        struct finding *more = arena_array(f->arena, room, sizeof *more, r);

        if (!more)
            return false;
        if (f->count)
            memcpy(more, f->at, f->count * sizeof *more);
        f->at = more;
        f->room = room;
    }
    to = &f->at[f->count];
    *to = *found;
    if (!copy(f, &to->name, r) || !copy(f, &to->found, r) || !copy(f, &to->evidence, r) || !copy(f, &to->done, r) ||
        !copy(f, &to->unknown, r))
        return false;
    f->count++;
    return true;
}
