/* What a checkpoint is of, as lines of text, each with what it says first: "batch 32". Every option of a training is one of
 * these:
 *
 * refused where it is another on going on: the model (so --untie and --bake, too), what of it is frozen, the optimiser,
 * what is measured, and the data, which --label, --limit and the like choose. What the optimiser would keep and the
 * checkpoint does not have is refused as well (amsgrad, use_ema, ...);
 *
 * told, by a warning: what else the result depends on. The trainer's settings and those of data are said here, a fit's
 * own by who fits (checkpoint.say). Equal settings give equal text, whatever the locale, and nothing asked for says so
 * ("rate_factor none"), so that a line always has a counterpart;
 *
 * neither told nor refused, as results do not depend on it: how many epochs there are to be (more may follow) and
 * initial_epoch (the checkpoint knows how many lie behind), threads, memory and seconds, --recompute, what is written where (model,
 * history, logs, figure, profile, metadata), when checkpoints come, what is said. Nor, in a loop of one's own, the
 * learning rate, which is part of the state, and weights of samples, which come with each batch. */
#ifndef KILN_TRAIN_CHECKPOINT_ABOUT_H
#define KILN_TRAIN_CHECKPOINT_ABOUT_H

#include "train/checkpoint.h"

bool about_say(struct text *out, const struct trainer *t, const struct checkpoint *c, struct report *r);
/* Is the checkpoint that says `then` of the training that says `now`? False with an error. */
bool about_agrees(const char *path, const char *then, const char *now, struct report *r);
/* Warnings tell of other settings, of one that is taken. False without memory, with an error. */
bool about_tell(const char *path, const char *then, const char *now, struct report *r);

#endif
