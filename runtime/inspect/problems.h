/* The errors of a model, each told once for all nodes that have it. */
#ifndef KILN_INSPECT_PROBLEMS_H
#define KILN_INSPECT_PROBLEMS_H

#include "base/map.h"

struct problems {
    kiln_problem *at; /* the first place of each */
    size_t count, capacity;
    struct map places; /* by message: in `at`, counted from 1 */
    struct arena *arena;
    struct report *report; /* of noting them: memory may be wanting */
};

/* Memory is the arena's, which must outlive it, and its budget's; released by problems_release. */
void problems_init(struct problems *p, struct arena *arena, struct report *r);
void problems_release(struct problems *p);
/* The callback of a report, `user` is the list: notes errors, warnings are left out. */
void problems_note(void *user, kiln_status code, const char *where, const char *message);

#endif
