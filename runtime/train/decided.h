/* What was decided of a model when it was adapted to training, or by whoever edits its metadata: so that nothing is
 * guessed twice. Keys of metadata_props:
 *
 *   kiln.role.NAME   "trainable", "statistic", "frozen" or "constant": of the initializer
 *   kiln.layer.NAME  the layer that it belongs to
 *   kiln.loss.NAME   the loss of that output, as --loss has it; after training, one that was asked for or reads logits
 *   kiln.normalize.NAME  what is done to samples before they are the input of that name (data/normalizer.h), whose
 *                    features are in its order
 *   kiln.classes.NAME  the names of that output's classes, one in each line
 *   kiln.regularize.NAME the regulariser of that parameter, as --regularize has it, where nobody names one for it
 *   kiln.trains.NAME any text: the output trains, and those of which that is not said do not, where nobody says which */
#ifndef KILN_TRAIN_DECIDED_H
#define KILN_TRAIN_DECIDED_H

#include "model/model.h"

#define DECIDED_ROLE      "kiln.role."
#define DECIDED_LAYER     "kiln.layer."
#define DECIDED_LOSS      "kiln.loss."
#define DECIDED_TRAINS    "kiln.trains."
#define DECIDED_NORMALIZE "kiln.normalize."
#define DECIDED_CLASSES   "kiln.classes."
#define DECIDED_PENALTY   "kiln.regularize."

/* By the names behind the prefix. The texts belong to the model. */
struct decided {
    struct map names;
};

bool decided_read(struct decided *d, const struct model *m, const char *prefix, struct budget *b, struct report *r);
void decided_release(struct decided *d);
const char *decided_of(const struct decided *d, const char *name); /* NULL where nothing is said */
/* The same of one name, for those who ask once. */
const char *decided_once(const struct model *m, const char *prefix, const char *name);

/* Does the output of that name train, where nobody says which? All do where the file says it of none. */
bool decided_trains(const struct model *m, const char *name);
/* The place of the first output that trains where nobody says which; built models alone. */
size_t decided_output(const struct model *m);

#endif
