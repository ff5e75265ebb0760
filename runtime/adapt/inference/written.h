/* What those share that look for layers that an exporter has written out as random numbers and arithmetic on them
 * (written_dropout.h, written_noise.h): from the node that draws on, each value is looked at in turn. */
#ifndef KILN_ADAPT_WRITTEN_H
#define KILN_ADAPT_WRITTEN_H

#include "adapt/facts.h"

/* Points `found` to zeroed room for something of each node, and `forms` for what each value is of the numbers. False
 * without memory. */
bool written_room(const struct facts *f, void *found, size_t size, void *forms, size_t form_size, struct arena *arena,
                  struct report *r);

#endif
