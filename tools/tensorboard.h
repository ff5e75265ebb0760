/* What TensorBoard shows of a training, in files as Keras' callback writes them. */
#ifndef KILN_TOOLS_TENSORBOARD_H
#define KILN_TOOLS_TENSORBOARD_H

#include "events.h"

enum { BOARD_TRAIN, BOARD_VALIDATION, BOARD_RUNS };

struct board {
    const char *path[BOARD_RUNS]; /* NULL: there is none */
    bool graph;                   /* is not there yet */
    int64_t every;                /* histograms after the first epoch of so many; 0: none */
    struct events run[BOARD_RUNS];
};

/* Before the work: DIR/train and, where there is validation, DIR/validation, with the names of new files. Events of
 * another training that are there already are warned of unless it goes on. False with an error, as those below. */
bool board_claim(struct board *b, const char *directory, bool validates, bool goes_on, struct command *c);
/* Opens them, and writes the graph: once, where a training goes on. */
bool board_open(struct board *b, const kiln_trainer *t, struct command *c);
/* An epoch, when so many steps lie behind. */
bool board_epoch(struct board *b, kiln_trainer *t, const kiln_epoch *e, int64_t steps, struct command *c);
bool board_close(struct board *b);

#endif
