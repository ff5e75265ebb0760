/* What is made of constants once for all programs of a session: packed weights (op.h, need_prepared). */
#ifndef KILN_RUN_PREPARED_H
#define KILN_RUN_PREPARED_H

#include "base/map.h"
#include "plan/program.h"

struct prepared {
    struct budget *budget;
    struct prepared_entry *entries;
    struct map by_id; /* to the same entries */
};

/* Made now, where it is not there yet. NULL with an error. */
const void *prepared_get(struct prepared *p, const struct preparation *what, const struct kernels *k, struct pool *pool,
                         struct report *r);
void prepared_free(struct prepared *p);

#endif
