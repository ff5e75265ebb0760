/* Memory that requests take beside what the context counts, and JSON read within it. */
#ifndef KILN_SERVE_READING_H
#define KILN_SERVE_READING_H

#include "tools.h"
#include <jansson.h>
#include <stdatomic.h>

/* Bodies, what is made of them, and answers. */
struct account {
    const struct command *command; /* whose limit of memory it keeps, with all that the context has */
    _Atomic size_t held;
};

/* False where the limit would be passed: nothing is held then. */
bool account_hold(struct account *a, size_t bytes);
void account_release(struct account *a, size_t bytes);

enum { READING_DEPTH = 32, READING_WHY = 300 };

typedef enum reading { READING_OK, READING_BAD, READING_NO_MEMORY } reading;

/* Before the first thread. */
void reading_start(void);
/* Reads a whole text within the account. *out belongs to the caller, who gives it back with reading_end on the same
 * thread, before it reads another; else `why` says what is wrong. */
reading reading_begin(json_t **out, const char *text, size_t length, struct account *a, char why[READING_WHY]);
void reading_end(json_t *root);

#endif
