/* And, Or and Xor: `run` and the rows LOGICAL_ROWS. Needs
 *   EXPR  y, of a and b
 * and forgets it. */
#include "ops/broadcast.h"
#include "ops/elementwise.h"

#define LOOP   loop
#define T      uint8_t
#define RESULT uint8_t
#include "ops/binary_body.h"
#undef RESULT
#undef EXPR

static bool run(struct step *s)
{
    const struct elementwise e = { .loop = loop };

    return elementwise(s, &e, s->out[0], 2, s->in);
}

#define LOGICAL_ROWS                                                                                                   \
    { .since = 7,                                                                                                      \
      .signature = "T A, T B -> T1 C",                                                                                 \
      .types = "T: bool; T1: bool",                                                                                    \
      COMPARISON_PARTS,                                                                                                \
      .cases = logical_cases },                                                                                        \
        BROADCAST_ROW(1, "T A, T B -> T1 C", "T: bool; T1: bool", logical_cases_1)
