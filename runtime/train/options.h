/* "NAME" or "NAME:key=value,key=value": how a loss or an optimiser is asked for. */
#ifndef KILN_TRAIN_OPTIONS_H
#define KILN_TRAIN_OPTIONS_H

#include "base/status.h"

struct spec_option {
    const char *key;
    bool flag;        /* 0 or 1, else any number */
    double low, high; /* bounds of a number: low <= value < high, or <= where `closed` */
    bool closed;
    size_t offset; /* into the struct that is filled: of a double, or of a bool */
};

/* The length of the name in `spec`. */
size_t option_name_length(const char *spec);
/* Reads what follows the name. `options` ends with a NULL key. `what` is "optimizer 'adam'", for messages. Numbers are
 * read with a point whatever the locale. */
bool options_read(void *to, const char *spec, const struct spec_option *options, const char *what, struct report *r);
/* A number with a point, whatever the locale: how many bytes it takes, 0 where there is none. */
size_t decimal_read(const char *s, double *out);

#endif
