/* What DepthToSpace and SpaceToDepth share: channels that are blocks of places, and the other way about. */
#ifndef KILN_OPS_BLOCKS_H
#define KILN_OPS_BLOCKS_H

#include "ops/op.h"

struct blocks {
    int64_t size;  /* of a block, along height and along width */
    bool to_space; /* channels become places */
    bool columns;  /* mode CRD: the places of a channel stand together, else the channels of a place */
};

bool blocks_parse(struct parse *p, void *attrs);      /* `blocksize` */
bool blocks_parse_mode(struct parse *p, void *attrs); /* and `mode` */
bool blocks_infer(struct infer *i);
bool blocks_run(struct step *s);
bool blocks_gradient(struct backward *b);

#define BLOCKS_PARTS                                                                                                   \
    .attrs_size = sizeof(struct blocks), .rank = rank_of_input, .infer = blocks_infer, .run = blocks_run,              \
    .gradient = blocks_gradient

#endif
