#include "inspect/problems.h"
#include <string.h>

void problems_init(struct problems *p, struct arena *arena, struct report *r)
{
    *p = (struct problems){ .arena = arena, .report = r };
    map_init(&p->places, arena->budget);
}

void problems_release(struct problems *p)
{
    if (!p->arena)
        return;
    budget_free(p->arena->budget, p->at);
    map_release(&p->places);
}

void problems_note(void *user, kiln_status code, const char *where, const char *message)
{
    struct problems *p = user;
    const size_t place = (size_t)(uintptr_t)map_get(&p->places, message);
    kiln_problem made = { .code = code, .times = 1 };
    void **slot;

    if (code == KILN_OK)
        return;
    if (place) {
        p->at[place - 1].times++;
        return;
    }
    made.where = arena_string(p->arena, where, strlen(where), p->report);
    made.message = arena_string(p->arena, message, strlen(message), p->report);
    if (!made.where || !made.message ||
        !budget_grow(p->arena->budget, &p->at, &p->capacity, p->count + 1, sizeof made, p->report) ||
        !(slot = map_put(&p->places, made.message, p->report)))
        return;
    p->at[p->count++] = made;
    *slot = (void *)(uintptr_t)p->count;
}
