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

/* For messages: "optimizer 'adam'", and the status that a mistake in it has. */
struct spec_subject {
    const char *what;
    kiln_status code;
};

/* The length of the name in `spec`. */
size_t option_name_length(const char *spec);
/* Reads what follows the name. `options` ends with a NULL key. Numbers are read with a point whatever the locale, and
 * keep within their bounds as floats, which is what becomes of them. */
bool options_read(void *to, const char *spec, const struct spec_option *options, const struct spec_subject *about,
                  struct report *r);
/* Is `value` finite as a float, and 0 only where it was? */
bool fits_float(double value);
/* A number with a point, whatever the locale: how many bytes it takes, 0 where there is none. */
size_t decimal_read(const char *s, double *out);

#endif
