#include "ops/rotated.h"
#include "ops/expansion.h"

struct value *emit_rotated(struct emitter *e, struct value *x, struct value *cosine, struct value *sine,
                           struct value *positions, bool interleaved)
{
    const int64_t two = 2, all = INT64_MAX, last = 3, none = 0;
    struct value *const size = emit(e, "Mul", "", 2, emit_size(e, cosine, 1), emit_ints(e, 1, &two)), *const axis =
                                                                                                          emit_ints(
                                                                                                              e, 1,
                                                                                                              &last);
    struct value *first = emit(e, "Slice", "", 4, x, emit_ints(e, 1, &none), size, axis);

    first = emit(e, "RotaryEmbedding", interleaved ? "interleaved=1" : "", 4, first, cosine, sine, positions);
    return emit(e, "Concat", "axis=3", 2, first, emit(e, "Slice", "", 4, x, size, emit_ints(e, 1, &all), axis));
}
