/* What EmbedLayerNormalization and QEmbedLayerNormalization of com.microsoft share: rows of tables, picked, added up and
 * normalised. */
#ifndef KILN_OPS_EMBEDDING_H
#define KILN_OPS_EMBEDDING_H

#include "ops/op.h"

enum embedding_of { EMBED_WORD, EMBED_POSITION, EMBED_SEGMENT, EMBED_TABLES };

struct embedding {
    struct value *ids[EMBED_TABLES];   /* of a word always; NULL: positions are 0, 1 ..., and there are no segments */
    struct value *table[EMBED_TABLES]; /* of segments NULL where there are none */
    struct value *scale[EMBED_TABLES], *zero[EMBED_TABLES]; /* of a table that is quantised, else NULL */
    struct value *gamma, *beta, *mask;                      /* mask may be NULL */
    float epsilon;
};

/* The normalised sum, how many elements of each row of the mask are 1 (0 without a mask), and the sum. */
bool emit_embedding(struct emitter *e, const struct embedding *m, struct value **normalised, struct value **index,
                    struct value **sum);

#endif
