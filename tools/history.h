/* Histories of training runs: a CSV file (RFC 4180) with a row for each epoch,
 * "epoch,loss,...,val_loss,...,[learning_rate,]seconds", or JSON lines: an object with the same names for each. */
#ifndef KILN_TOOLS_HISTORY_H
#define KILN_TOOLS_HISTORY_H

#include "tools.h"

struct history {
    char *name; /* of the run, in a legend */
    size_t measures, epochs;
    char **measure; /* [measures] without "val_"; the first is "loss" */
    double *rows;   /* [epochs][3 + 2 * measures]: epoch, seconds, learning rate, training, validation */
    bool rates;     /* learning rates were noted */
};

/* False with an error, as all below. */
bool history_add_measure(struct history *h, const char *name, size_t length, struct command *c);
/* A row of a history whose measures are known. NaN where there is none. */
bool history_add(struct history *h, double epoch, double seconds, const double *train, const double *validation,
                 struct command *c);
/* Of the latest row. */
void history_note_rate(struct history *h, double rate);
/* NaN where there is none. */
double history_value(const struct history *h, size_t epoch, size_t measure, bool validation);
bool history_read(struct history *out, const char *path, struct command *c);
/* As JSON lines where the name ends in .jsonl; those cannot be read back. */
bool history_write(const struct history *h, const char *path, struct command *c);
void history_release(struct history *h);

#endif
