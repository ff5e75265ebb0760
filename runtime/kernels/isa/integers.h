/* What integers of 8 bits need: kernels.h says what each loop does. */
#ifndef KILN_KERNELS_ISA_INTEGERS_H
#define KILN_KERNELS_ISA_INTEGERS_H

#include "kernels/isa/lanes.h"

/* -- from bytes -- */

/* A step that is known becomes vectors. */
ALWAYS_INLINE void widen_run(const uint8_t *x, int64_t step, int32_t flip, int32_t zero, int16_t *y, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        y[i] = (int16_t)((x[i * step] ^ flip) - zero);
}
static inline void widen_loop(const struct byte_runs *r, int16_t *y)
{
    const int32_t flip = r->flip, zero = r->zero;

    for (int64_t k = 0; k < r->count; k++) {
        const uint8_t *const x = r->x + r->runs[k].from;
        int16_t *const to = y + r->runs[k].to;
        const int64_t n = r->runs[k].count;

        if (r->step == 1)
            widen_run(x, 1, flip, zero, to, n);
        else if (r->step == 2)
            widen_run(x, 2, flip, zero, to, n);
        else
            widen_run(x, r->step, flip, zero, to, n);
    }
}

static inline void pair_loop(const int16_t *even, const int16_t *odd, int64_t panels, int64_t step, int16_t *y)
{
    for (int64_t p = 0; p < panels; p++, even += LANES, odd += LANES, y += step) {
        INDEPENDENT
        for (int l = 0; l < LANES; l++) {
            y[2 * l] = even[l];
            y[2 * l + 1] = odd[l];
        }
    }
}

ALWAYS_INLINE void integer_axpy_run(int32_t w, const uint8_t *x, int64_t step, int32_t flip, int32_t zero,
                                    uint32_t *sum, int64_t n)
{
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        sum[i] += (uint32_t)(w * ((x[i * step] ^ flip) - zero));
}
static inline void integer_axpy_loop(int32_t w, const uint8_t *x, int64_t step, uint8_t flip, int32_t zero, int32_t *y,
                                     int64_t n)
{
    uint32_t *const sum = (uint32_t *)y; /* wraps around */

    if (step == 1)
        integer_axpy_run(w, x, 1, flip, zero, sum, n);
    else if (step == 2)
        integer_axpy_run(w, x, 2, flip, zero, sum, n);
    else
        integer_axpy_run(w, x, step, flip, zero, sum, n);
}

/* -- products -- */

/* As many vectors as leave registers for all sums, those of b and one pair of a. */
#if LANES == 16
enum { MOST_VECTORS = 4 };
#elif LANES == 8
enum { MOST_VECTORS = 3 };
#else
enum { MOST_VECTORS = 2 };
#endif

typedef uint32_t lanes_unsigned __attribute__((vector_size(4 * LANES))); /* sums wrap around */
typedef lanes_mask pairs;                                                /* of int16, two in a lane */

static inline pairs load_pairs(const int16_t *p)
{
    pairs v;

    memcpy(&v, p, sizeof v);
    return v;
}
static inline pairs splat_pair(const int16_t *p)
{
    int32_t v;

    memcpy(&v, p, sizeof v);
    return v - (pairs){ 0 };
}
/* c + the sum of the two products in each lane. */
#if defined(__AVX512BW__) && LANES == 16
static inline lanes_mask add_products(pairs a, pairs b, lanes_mask c)
{
    return (lanes_mask)_mm512_add_epi32((__m512i)c, _mm512_madd_epi16((__m512i)a, (__m512i)b));
}
#elif defined(__AVX2__) && LANES == 8
static inline lanes_mask add_products(pairs a, pairs b, lanes_mask c)
{
    return (lanes_mask)_mm256_add_epi32((__m256i)c, _mm256_madd_epi16((__m256i)a, (__m256i)b));
}
#else
static inline lanes_mask add_products(pairs a, pairs b, lanes_mask c)
{
    const pairs low_a = (pairs)((lanes_unsigned)a << 16) >> 16, low_b = (pairs)((lanes_unsigned)b << 16) >> 16;

    return (lanes_mask)((lanes_unsigned)c + (lanes_unsigned)(low_a * low_b) + (lanes_unsigned)((a >> 16) * (b >> 16)));
}
#endif

/* The sums of a tile, which are in registers, to where its rows begin. */
ALWAYS_INLINE void store_sums(lanes_mask (*sum)[INTEGER_VECTORS], int32_t (*c)[INTEGER_COLUMNS], int rows, int vectors)
{
    UNROLLED
    for (int r = 0; r < rows; r++)
        UNROLLED
    for (int v = 0; v < vectors; v++)
        memcpy(c[r] + v * LANES, &sum[r][v], sizeof sum[r][v]);
}

ALWAYS_INLINE void integer_tile_of(const struct integer_tile *t, int rows, int vectors)
{
    const int64_t a_row = t->a_row, b_panel = t->b_panel, n = t->pairs;
    const int16_t *a = t->a, *b = t->b;
    lanes_mask sum[INTEGER_ROWS][INTEGER_VECTORS] = { 0 };

    for (int64_t p = 0; p < n; p++, a += 2, b += 2 * LANES) {
        pairs w[INTEGER_VECTORS];

        UNROLLED
        for (int v = 0; v < vectors; v++)
            w[v] = load_pairs(b + v * b_panel);
        UNROLLED
        for (int r = 0; r < rows; r++) {
            const pairs x = splat_pair(a + r * a_row);

            UNROLLED
            for (int v = 0; v < vectors; v++)
                sum[r][v] = add_products(x, w[v], sum[r][v]);
        }
    }
    store_sums(sum, t->c, rows, vectors);
}

#define TO_4(X, v) X(v, 1) X(v, 2) X(v, 3) X(v, 4)
#if LANES == 16
#define INTEGER_TILES(X) TO_4(X, 1) TO_4(X, 2) TO_4(X, 3) TO_4(X, 4)
#elif LANES == 8
#define INTEGER_TILES(X) TO_4(X, 1) TO_4(X, 2) TO_4(X, 3)
#else
#define INTEGER_TILES(X) TO_4(X, 1) TO_4(X, 2)
#endif

#define TILE(v, n)                                                                                                     \
    static void integer_tile_##v##_##n(const struct integer_tile *t)                                                   \
    {                                                                                                                  \
        integer_tile_of(t, n, v);                                                                                      \
    }
INTEGER_TILES(TILE)
#undef TILE

#define ENTRY(v, n) [v][n] = integer_tile_##v##_##n,
static inline void integer_tile_loop(const struct integer_tile *t, int rows, int vectors)
{
    static void (*const tiles[MOST_VECTORS + 1][INTEGER_ROWS + 1])(
        const struct integer_tile *) = { INTEGER_TILES(ENTRY) };

    tiles[vectors][rows](t);
}
#undef ENTRY

static inline void integer_taps_loop(const struct integer_taps *t)
{
    typedef int16_t half __attribute__((vector_size(2 * LANES)));
    enum { VECTORS = 4, BLOCK = VECTORS * LANES };

    for (int64_t i = 0; i < t->n; i += BLOCK) {
        lanes_unsigned sum[VECTORS] = { 0 };

        if (t->add)
            memcpy(sum, t->y + i, sizeof sum);
        for (int64_t k = 0; k < t->taps; k++) {
            const int16_t *const x = t->x + t->at[k] + i;
            const lanes_mask w = t->w[k] - (lanes_mask){ 0 };

            UNROLLED
            for (int v = 0; v < VECTORS; v++) {
                half h;

                memcpy(&h, x + v * LANES, sizeof h);
                sum[v] += (lanes_unsigned)(w * __builtin_convertvector(h, lanes_mask));
            }
        }
        memcpy(t->y + i, sum, sizeof sum);
    }
}

/* -- from floats and sums -- */

#define NAME        quantize_8_loop
#define X           float
#define Y           uint8_t
#define VALUE(x, s) ((x) / (s))
#include "kernels/isa/quantize.h"

#define NAME        quantize_16_loop
#define X           float
#define Y           uint16_t
#define VALUE(x, s) ((x) / (s))
#include "kernels/isa/quantize.h"

#define NAME        requantize_loop
#define X           int32_t
#define Y           uint8_t
#define VALUE(x, s) ((float)(x) * (s))
#include "kernels/isa/quantize.h"

#endif
