/* A model that is served. */
#ifndef KILN_SERVE_MODEL_H
#define KILN_SERVE_MODEL_H

#include "serve/metrics.h"
#include "serve/queue.h"
#include "tools.h"

enum { MODEL_NAME = 100, MODEL_WHY = 200 };

struct served {
    char name[MODEL_NAME + 1]; /* letters, digits, '.', '_' and '-' */
    const char *file;
    kiln_model *model;
    kiln_session *session; /* its worker's */
    size_t inputs;         /* of the model that must be given: the first ones */
    size_t *output;        /* [outputs] places of those that the protocol can carry */
    size_t outputs;
    bool apart;          /* rows do not depend on each other: requests may run together */
    char why[MODEL_WHY]; /* they do, or may */
    struct model_metrics metrics;
    struct queue queue;
};

/* "NAME=FILE", or a file that is called so. False where neither is a name. */
bool served_name(struct served *m, const char *argument);
/* Opens it and tries whether its rows are apart, for batches. False with an error. */
bool served_open(struct served *m, struct command *c, bool exact, bool batches);
void served_close(struct served *m);
/* Line k of the names of its classes that the metadata have of an output: *length bytes; NULL where there is none. */
const char *served_class(const struct served *m, const char *output, int64_t k, size_t *length);

#endif
