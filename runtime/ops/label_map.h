/* One value for each element, by the list of keys that it is found in: LabelEncoder and CategoryMapper. */
#ifndef KILN_OPS_LABEL_MAP_H
#define KILN_OPS_LABEL_MAP_H

#include "ops/lookup.h"

struct label_map {
    enum dtype from, to;
    enum lookup_equality as;
    struct lookup keys;
    const char *values; /* one for each key, then that of all that is not found */
    int64_t count;
};
/* As many values as there are keys, all of which is copied; of keys that are there several times the last one counts. */
bool label_map_make(struct parse *p, struct label_map *m, const struct attr_values *keys,
                    const struct attr_values *values, const void *fallback, enum lookup_equality as);
bool label_map_infer(struct infer *i, const struct label_map *m);
bool label_map_run(struct step *s, const struct label_map *m);

/* Strings to numbers and numbers to strings, by the type of the input. */
struct label_maps {
    struct label_map to_number, to_string;
};
/* With attributes default_int64 and default_string. */
bool label_maps_make(struct parse *p, struct label_maps *m, const struct attr_values *strings,
                     const struct attr_values *numbers);
enum dtype label_maps_told(const struct node *n, int k);
bool label_maps_infer(struct infer *i);
bool label_maps_run(struct step *s);

#endif
