/* Lanes that are chosen, and vectors that are not whole. */
#ifndef KILN_KERNELS_ISA_CHOICE_H
#define KILN_KERNELS_ISA_CHOICE_H

#include "kernels/isa/lanes.h"

/* n is at most LANES: a whole vector, or the last lanes of a row. */
ALWAYS_INLINE vec load_up_to(const float *p, int64_t n)
{
    return n == LANES ? load(p) : load_some(p, n);
}
ALWAYS_INLINE void store_up_to(float *p, vec v, int64_t n)
{
    if (n == LANES)
        store(p, v);
    else
        store_some(p, v, n);
}

static inline lanes_mask beats_lanes(vec b, vec a) /* NaN wins over everything */
{
    return (b > a) | ((b != b) & (a == a));
}

/* winners_of: does b win over a that came first? NaN wins over everything. are_best: is v what had won? */
#if defined(__AVX512F__) && LANES == 16
typedef __mmask16 winners;
ALWAYS_INLINE winners winners_of(vec b, vec a)
{
    return _mm512_mask_cmp_ps_mask(_mm512_cmp_ps_mask((__m512)a, (__m512)a, _CMP_ORD_Q), (__m512)b, (__m512)a,
                                   _CMP_NLE_UQ);
}
ALWAYS_INLINE winners are_best(vec v, vec best)
{
    return _mm512_cmp_ps_mask((__m512)v, (__m512)best, _CMP_EQ_OQ) |
           _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
}
ALWAYS_INLINE winners all_lanes(void)
{
    return 0xffff;
}
ALWAYS_INLINE winners positive(vec v)
{
    return _mm512_cmp_ps_mask((__m512)v, _mm512_setzero_ps(), _CMP_GT_OQ);
}
/* Whatever is done with it under a mask, it is loaded as a whole: a masked load waits for its mask, which may come from
 * memory itself. */
ALWAYS_INLINE vec as_a_whole(vec v)
{
    __asm__("" : "+v"(v));
    return v;
}
ALWAYS_INLINE vec pick(winners m, vec yes, vec no)
{
    return (vec)_mm512_mask_mov_ps((__m512)no, m, (__m512)yes);
}
#else
typedef lanes_mask winners;
ALWAYS_INLINE winners winners_of(vec b, vec a)
{
    return beats_lanes(b, a);
}
ALWAYS_INLINE winners are_best(vec v, vec best)
{
    return (v == best) | (v != v);
}
ALWAYS_INLINE winners all_lanes(void)
{
    return ~(winners){ 0 };
}
ALWAYS_INLINE winners positive(vec v)
{
    return v > 0;
}
ALWAYS_INLINE vec as_a_whole(vec v)
{
    return v;
}
ALWAYS_INLINE vec pick(winners m, vec yes, vec no)
{
    return choose(m, yes, no);
}
#endif

#endif
