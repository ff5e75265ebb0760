/* Sums of products of bytes, which lie four to a lane: kernels.h says what each loop does. */
#ifndef KILN_KERNELS_ISA_QUADS_H
#define KILN_KERNELS_ISA_QUADS_H

#include "kernels/isa/integers.h"

/* As many rows and vectors as leave registers for all sums, and for what a quad of b becomes. */
#if defined(DOT_PRODUCTS)
enum { MOST_QUAD_ROWS = QUAD_ROWS, MOST_QUAD_VECTORS = 4, QUAD_PRODUCTS = 4 };
#elif LANES == 16
enum { MOST_QUAD_ROWS = 4, MOST_QUAD_VECTORS = 4, QUAD_PRODUCTS = 1 };
#elif LANES == 8
enum { MOST_QUAD_ROWS = 4, MOST_QUAD_VECTORS = 2, QUAD_PRODUCTS = 1 };
#else
enum { MOST_QUAD_ROWS = 2, MOST_QUAD_VECTORS = 2, QUAD_PRODUCTS = 0 };
#endif

/* c + the sum of the four products in each lane, of uint8 a and int8 b. Two at a time are within 16 bits only where they
 * are widened: of the four, those in even places, and those in odd ones. */
#if defined(DOT_PRODUCTS)
static inline lanes_mask add_quads(lanes_mask a, lanes_mask b, lanes_mask c)
{
    return (lanes_mask)_mm512_dpbusd_epi32((__m512i)c, (__m512i)a, (__m512i)b);
}
#else
typedef int16_t halves __attribute__((vector_size(4 * LANES)));
typedef uint16_t unsigned_halves __attribute__((vector_size(4 * LANES)));

static inline lanes_mask add_quads(lanes_mask a, lanes_mask b, lanes_mask c)
{
    const pairs even_a = (pairs)((unsigned_halves)a & 0xff), odd_a = (pairs)((unsigned_halves)a >> 8);
    const pairs even_b = (pairs)((halves)((unsigned_halves)b << 8) >> 8), odd_b = (pairs)((halves)b >> 8);

    return add_products(odd_a, odd_b, add_products(even_a, even_b, c));
}
#endif

ALWAYS_INLINE void integer_quads_of(const struct integer_quads *t, int rows, int vectors)
{
    const int64_t b_panel = t->b_panel / (int64_t)sizeof(int16_t), quads = t->quads;
    const int16_t *b = (const int16_t *)(const void *)t->b;
    lanes_mask sum[QUAD_ROWS][INTEGER_VECTORS] = { 0 };

    for (int64_t run = 0; run < t->runs; run++) {
        const int16_t *a[QUAD_ROWS] = { 0 };

        UNROLLED
        for (int r = 0; r < rows; r++)
            a[r] = (const int16_t *)(const void *)(t->a[r] + t->at[run]);
        for (int64_t q = 0; q < quads; q++, b += 2 * LANES) {
            pairs w[INTEGER_VECTORS];

            UNROLLED
            for (int v = 0; v < vectors; v++)
                w[v] = load_pairs(b + v * b_panel);
            UNROLLED
            for (int r = 0; r < rows; r++) {
                const pairs x = splat_pair(a[r] + 2 * q);

                UNROLLED
                for (int v = 0; v < vectors; v++)
                    sum[r][v] = add_quads(x, w[v], sum[r][v]);
            }
        }
    }
    store_sums(sum, t->c, rows, vectors);
}

/* A byte in each lane, from memory and back, where it is the lowest one of the lane. */
#if defined(__AVX512BW__) && LANES == 16
static inline lanes_mask load_bytes(const uint8_t *x)
{
    return (lanes_mask)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
}
static inline void store_bytes(uint8_t *y, lanes_mask v, int64_t n)
{
    _mm512_mask_cvtepi32_storeu_epi8(y, (__mmask16)(n < LANES ? (1u << n) - 1 : 0xffff), (__m512i)v);
}
#elif defined(__AVX2__) && LANES == 8
static inline lanes_mask load_bytes(const uint8_t *x)
{
    return (lanes_mask)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x));
}
static inline void store_bytes(uint8_t *y, lanes_mask v, int64_t n)
{
    const __m256i low = (__m256i)(v & 0xff);
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256(low, 1));
    const int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));

    if (n >= LANES)
        memcpy(y, &bytes, sizeof bytes);
    else
        memcpy(y, &bytes, (size_t)n);
}
#else
static inline lanes_mask load_bytes(const uint8_t *x)
{
    lanes_mask v = { 0 };

    for (int l = 0; l < LANES; l++)
        v[l] = x[l];
    return v;
}
static inline void store_bytes(uint8_t *y, lanes_mask v, int64_t n)
{
    for (int l = 0; l < LANES && l < n; l++)
        y[l] = (uint8_t)v[l];
}
#endif

ALWAYS_INLINE void integer_columns_of(const struct integer_columns *t, int rows, int vectors)
{
    lanes_mask sum[QUAD_ROWS][INTEGER_VECTORS] = { 0 };

    for (int64_t p = 0; p < t->pairs; p++) {
        const uint8_t *const even = t->x + t->at[2 * p], *const odd = t->x + t->at[2 * p + 1];

        UNROLLED
        for (int v = 0; v < vectors; v++) {
            const pairs w = load_pairs(t->w + p * t->w_step + v * 2 * LANES);

            UNROLLED
            for (int r = 0; r < rows; r++) {
                const int64_t at = r * t->x_step + v * LANES;

                sum[r][v] = add_products(load_bytes(even + at) | load_bytes(odd + at) << 16, w, sum[r][v]);
            }
        }
    }
    store_sums(sum, t->c, rows, vectors);
}

/* Rounding, and what is too far to be rounded, as in quantize.h; so a NaN becomes the least. */
static inline void integer_store_loop(const struct integer_store *s, int32_t (*c)[INTEGER_COLUMNS], int rows, int64_t n)
{
    const vec magic = splat(12582912.f), far = splat(2097152.f), zero = splat(s->zero);
    const vec least = splat(s->least), most = splat(s->most);

    for (int64_t l = 0; l < n; l += LANES) {
        const vec scale = load(s->scale + l);
        lanes_unsigned summand;

        memcpy(&summand, s->summand + l, sizeof summand);
        for (int r = 0; r < rows; r++) {
            lanes_unsigned sum;
            vec v;

            memcpy(&sum, c[r] + l, sizeof sum);
            v = __builtin_convertvector((lanes_mask)(sum + summand), vec) * scale;
            v = at_most(far, at_least(v, -far)); /* of a NaN and something at_least gives what stands second */
            v = ((v + magic) - magic) + zero;
            store_bytes(s->y + r * s->y_row + l, __builtin_convertvector(at_most(most, at_least(least, v)), lanes_mask),
                        n - l);
        }
    }
}

#define ROWS_1(X, v) X(v, 1)
#define ROWS_2(X, v) ROWS_1(X, v) X(v, 2)
#define ROWS_4(X, v) ROWS_2(X, v) X(v, 3) X(v, 4)
#define ROWS_6(X, v) ROWS_4(X, v) X(v, 5) X(v, 6)
#if defined(DOT_PRODUCTS)
#define QUAD_TILES(X) ROWS_6(X, 1) ROWS_6(X, 2) ROWS_6(X, 3) ROWS_6(X, 4)
#elif LANES == 16
#define QUAD_TILES(X) ROWS_4(X, 1) ROWS_4(X, 2) ROWS_4(X, 3) ROWS_4(X, 4)
#elif LANES == 8
#define QUAD_TILES(X) ROWS_4(X, 1) ROWS_4(X, 2)
#else
#define QUAD_TILES(X) ROWS_2(X, 1) ROWS_2(X, 2)
#endif

#define TILE(v, n)                                                                                                     \
    static void integer_quads_##v##_##n(const struct integer_quads *t)                                                 \
    {                                                                                                                  \
        integer_quads_of(t, n, v);                                                                                     \
    }                                                                                                                  \
    static void integer_columns_##v##_##n(const struct integer_columns *t)                                             \
    {                                                                                                                  \
        integer_columns_of(t, n, v);                                                                                   \
    }
QUAD_TILES(TILE)
#undef TILE

#define ENTRY(v, n) [v][n] = integer_quads_##v##_##n,
static inline void integer_quads_loop(const struct integer_quads *t, int rows, int vectors)
{
    static void (*const tiles[MOST_QUAD_VECTORS + 1][MOST_QUAD_ROWS + 1])(
        const struct integer_quads *) = { QUAD_TILES(ENTRY) };

    tiles[vectors][rows](t);
}
#undef ENTRY
#define ENTRY(v, n) [v][n] = integer_columns_##v##_##n,
static inline void integer_columns_loop(const struct integer_columns *t, int rows, int vectors)
{
    static void (*const tiles[MOST_QUAD_VECTORS + 1][MOST_QUAD_ROWS + 1])(
        const struct integer_columns *) = { QUAD_TILES(ENTRY) };

    tiles[vectors][rows](t);
}
#undef ENTRY

#endif
