/* The loops of cumulative.c of one kind, and NAME(_loop), which has the one for a type. Needs
 *   NAME(part)  a name for each part of them
 *   START       what stands before the first element
 *   AFTER       what comes to stand there, of before, x and up
 *   OUT         y, of these and after
 * AFTER and OUT may look at exclusive. Forgets all of them. */
#define LOOP NAME(_f32)
#define T    float
#define ACC  double
#include "ops/cumulative_body.h"
#define LOOP NAME(_f64)
#define T    double
#define ACC  double
#include "ops/cumulative_body.h"
#define LOOP NAME(_4)
#define T    uint32_t
#define ACC  uint32_t
#include "ops/cumulative_body.h"
#define LOOP NAME(_8)
#define T    uint64_t
#define ACC  uint64_t
#include "ops/cumulative_body.h"

static loop_fn *NAME(_loop)(enum dtype compute)
{
    return compute == F32 ? NAME(_f32) : compute == F64 ? NAME(_f64) : dtype_size(compute) == 4 ? NAME(_4) : NAME(_8);
}
#undef NAME
#undef START
#undef AFTER
#undef OUT
