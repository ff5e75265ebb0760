/* The lists of numbers in a request's JSON, which are nearly all of it. They are cut out of the text before a reader of
 * all JSON makes an object of each number, and read when it is known what they are to be. */
#ifndef KILN_SERVE_NUMBERS_H
#define KILN_SERVE_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CUTS = 64 };

/* "[1, 2.5]", or lists of such; brackets fit each other, nothing else is known of it. */
struct cut {
    const char *text;
    size_t length;
};

struct cuts {
    size_t count;
    struct cut of[CUTS];
};

/* Finds the lists that follow "data":. The text with the number of its cut in the place of each belongs to the caller;
 * NULL where nothing is cut. */
char *cuts_make(struct cuts *cuts, const char *text, size_t length, size_t *left);

struct written {
    bool negative, whole; /* whole: it has neither a point nor an exponent, and `digits` is right */
    uint64_t digits;      /* without the sign */
    double value;         /* the nearest; infinite where it is too large */
};

/* How many bytes it takes; 0 where there is none as JSON has it. Behind it must be a byte that is no part of one. */
size_t written_number(struct written *n, const char *s);

#endif
