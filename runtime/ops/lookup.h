/* Finds the place of a key among those that an attribute lists: words of a vocabulary, categories, labels. Filled when a
 * node is parsed, lives as long as the model, may be read by several threads at once. */
#ifndef KILN_OPS_LOOKUP_H
#define KILN_OPS_LOOKUP_H

#include "base/hash.h"
#include "ops/op.h"

struct lookup {
    struct hash_key hash;
    size_t capacity;
    struct lookup_slot *slots;
};

/* Room for so many keys, none of which is there yet. */
bool lookup_init(struct lookup *l, struct parse *p, size_t keys);
/* The key, which is borrowed, is at this place; the last one counts. */
void lookup_put(struct lookup *l, const void *key, size_t length, int64_t place);
int64_t lookup_get(const struct lookup *l, const void *key, size_t length); /* -1 where it is not there */

/* The same for elements of a tensor, strings or numbers. */
enum lookup_equality {
    LOOKUP_NUMBERS, /* 0 and -0 are equal, and so are all NaNs */
    LOOKUP_BITS     /* they are not, where their bits differ */
};
void lookup_put_element(struct lookup *l, enum dtype dtype, enum lookup_equality as, const void *element,
                        int64_t place);
int64_t lookup_get_element(const struct lookup *l, enum dtype dtype, enum lookup_equality as, const void *element);

#endif
