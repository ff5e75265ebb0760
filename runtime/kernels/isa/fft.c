/* Stages of Fourier transforms: of as many numbers at a time as a vector has, or one by one. The same bits on every
 * level. */
#include "kernels/fft.h"
#include "kernels/isa/levels.h"

enum { DOUBLES = LANES / 2 }; /* of a vector */
typedef double doubles __attribute__((vector_size(8 * DOUBLES)));

#define NUMBER     double
#define real       doubles
#define WIDTH      DOUBLES
#define NAME(part) part##_doubles
#include "kernels/isa/fft_body.h"
#define NUMBER     double
#define real       double
#define WIDTH      1
#define NAME(part) part##_double
#include "kernels/isa/fft_body.h"
#define NUMBER     float
#define real       vec
#define WIDTH      LANES
#define NAME(part) part##_floats
#include "kernels/isa/fft_body.h"
#define NUMBER     float
#define real       float
#define WIDTH      1
#define NAME(part) part##_float
#include "kernels/isa/fft_body.h"

static void stage(const struct fft_stage *s, const double *turns, const struct fft_flow *f)
{
    if (f->single)
        (f->inner % LANES == 0 ? stage_floats : stage_float)(s, turns, f);
    else
        (f->inner % DOUBLES == 0 ? stage_doubles : stage_double)(s, turns, f);
}

const struct fft_kernels OF_LEVEL(fft_kernels) = {
    .stage = stage,
};
