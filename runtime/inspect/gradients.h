/* What training would do with a model: where gradients flow and end, and what a step keeps for them. */
#ifndef KILN_INSPECT_GRADIENTS_H
#define KILN_INSPECT_GRADIENTS_H

#include "base/text.h"
#include "inspect/flow.h"
#include "train/kept.h"
#include "train/trainer.h"

struct gradient_target {
    const char *output;
    const char *loss; /* and how it was chosen; "" where there is none */
    const char *from; /* the value where gradients begin: the output, or logits behind it */
};

/* What a rule reads of the forward part. */
struct gradient_kept {
    const char *name, *type;
    enum keeping how;
    int64_t bytes;
};

struct gradient_node {
    const struct flow_node *flow;
    size_t first, count; /* of what is kept for it: in `kept` */
};

struct gradient_parameter {
    const struct parameter *parameter;
    struct flow_end end;
    const char *type;
    const char *why; /* nothing flows to it; "" */
};

struct gradients {
    struct budget budget;
    struct arena arena;
    struct trainer *trainer; /* NULL: there can be none */
    struct open_types types;
    struct parameters found; /* where there is no trainer */
    struct flows flows;
    const struct model *model;
    int64_t batch;
    bool recompute, planned;
    size_t inputs;
    const char **input_types; /* [inputs] of a batch, "" where that is not known */
    size_t targets;
    struct gradient_target *target;
    size_t parameters;
    struct gradient_parameter *parameter;
    struct gradient_node loss, *node; /* [flows.count] */
    struct gradient_kept *kept;
    size_t kept_count;
    int64_t bytes, again, arena_bytes;
    const char *error, *where; /* why no step can be planned; "" where one is */
};

/* As a trainer with these options would do it; `batch` samples, where the model leaves that open. A model that cannot be
 * trained is looked at as far as it can be. It must outlive this. False with an error; released in any case. */
bool gradients_find(struct gradients *g, const struct model *m, const struct trainer_options *o, int64_t batch,
                    struct report *r);
void gradients_release(struct gradients *g);
const char *keeping_name(enum keeping how); /* "kept", "made again" ... */
void gradients_json(const struct gradients *g, struct text *out);

#endif
