/* Sizes that only running tells, told by running: a graph is run as far as they need it, and no further (plan/found.h). */
#ifndef KILN_RUN_SIZES_H
#define KILN_RUN_SIZES_H

#include "plan/found.h"
#include "run/engine.h"

struct sizes;

/* Of a graph, which must outlive them. Its weights may change from run to run; passes may make it faster. */
struct sizes *sizes_new(struct engine *e, const struct graph *g, bool passes, struct report *r);
void sizes_free(struct sizes *s);
/* What runs is part of what runs on this pool, and draws the random numbers that come of this seed. */
void sizes_within(struct sizes *s, struct pool *pool, uint64_t seed);

/* What is open, as far as is known by now, is looked up for `given`: by value id, with data, all that comes to the graph from
 * outside. What comes back holds until the next call. NULL with an error. */
const struct found *sizes_run(struct sizes *s, const struct tensor *given, struct report *r);
/* Right behind that, where what it told has never been seen: others may be open then, which are found one behind the other.
 * `content`: what of the given is the same in each run; may be NULL. An error where a size cannot be told so. */
const struct found *sizes_settle(struct sizes *s, const struct tensor *given, const bool *content, struct report *r);
/* Behind that: the types of all values, by id, where dimensions that are others if more is found are UNKNOWN; all of them, where it is
 * not known which. In `arena`. NULL with an error. */
struct tensor *sizes_types(struct sizes *s, const struct tensor *given, const bool *content, struct arena *arena,
                           struct report *r);

#endif
