/* What RotaryEmbedding and GroupQueryAttention of com.microsoft share. */
#ifndef KILN_OPS_ROTATED_H
#define KILN_OPS_ROTATED_H

#include "ops/op.h"

/* x, [batch, heads, length, size], rotated by the standard's RotaryEmbedding. Caches are [position, pair of numbers], and
 * there are positions for [batch, length]. What has no pair in a cache stays as it is. */
struct value *emit_rotated(struct emitter *e, struct value *x, struct value *cosine, struct value *sine,
                           struct value *positions, bool interleaved);

#endif
