/* Moving elements with AVX-512. */
#ifndef KILN_KERNELS_ISA_MOVE_AVX512_H
#define KILN_KERNELS_ISA_MOVE_AVX512_H

#include "kernels/isa/move.h"
#include <immintrin.h>

/* The mask of the first n lanes; n may be anything. */
static inline __mmask16 first_lanes(int64_t n)
{
    return n >= 16 ? 0xffff : n <= 0 ? 0 : (__mmask16)((1u << n) - 1);
}

static inline void transpose_16(__m512 r[16])
{
    __m512 t[16], u[16];

#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
        t[2 * i] = _mm512_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm512_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) { /* u[4i + j]: element j of each quarter, rows 4i to 4i + 3 */
        const __m512d a = _mm512_castps_pd(t[4 * i]), b = _mm512_castps_pd(t[4 * i + 2]);
        const __m512d c = _mm512_castps_pd(t[4 * i + 1]), d = _mm512_castps_pd(t[4 * i + 3]);

        u[4 * i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
        u[4 * i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        u[4 * i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(c, d));
        u[4 * i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(c, d));
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        const __m512 even_low = _mm512_shuffle_f32x4(u[j], u[4 + j], 0x88),
                     odd_low = _mm512_shuffle_f32x4(u[j], u[4 + j], 0xdd);
        const __m512 even_high = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0x88);
        const __m512 odd_high = _mm512_shuffle_f32x4(u[8 + j], u[12 + j], 0xdd);

        r[j] = _mm512_shuffle_f32x4(even_low, even_high, 0x88);
        r[8 + j] = _mm512_shuffle_f32x4(even_low, even_high, 0xdd);
        r[4 + j] = _mm512_shuffle_f32x4(odd_low, odd_high, 0x88);
        r[12 + j] = _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd);
    }
}

/* Rows x[i * x_stride ...], `rows` and `columns` at most 16, come out as columns; `stored` of them, zeros from `rows`
 * on. */
static inline void transpose_block(const float *x, int64_t x_stride, int64_t rows, int64_t columns, float *y,
                                   int64_t y_stride, __mmask16 stored)
{
    const __mmask16 wanted = first_lanes(columns);
    __m512 r[16];

    if (rows == 16) {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            r[i] = _mm512_maskz_loadu_ps(wanted, x + i * x_stride);
    } else {
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++)
            r[i] = i < rows ? _mm512_maskz_loadu_ps(wanted, x + i * x_stride) : _mm512_setzero_ps();
    }
    transpose_16(r);
    if (columns == 16) {
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++)
            _mm512_mask_storeu_ps(y + j * y_stride, stored, r[j]);
    } else {
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++)
            if (j < columns)
                _mm512_mask_storeu_ps(y + j * y_stride, stored, r[j]);
    }
}

static void transpose_4_loop(const uint32_t *x, int64_t x_stride, uint32_t *y, int64_t y_stride, int64_t rows,
                             int64_t columns)
{
    const int64_t done = transposed_columns(x, x_stride, y, y_stride, rows, columns);

    for (int64_t r = 0; r < rows; r += 16)
        for (int64_t c = done; c < columns; c += 16)
            transpose_block((const float *)x + r * x_stride + c, x_stride, rows - r < 16 ? rows - r : 16,
                            columns - c < 16 ? columns - c : 16, (float *)y + c * y_stride + r, y_stride,
                            first_lanes(rows - r));
}

static void pack_4_loop(const float *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                        int64_t depth, float *panel)
{
    if (width > 32 || (lane_stride != 1 && depth_stride != 1)) {
        pack_4_any(x, lane_stride, depth_stride, count, width, depth, panel);
        return;
    }
    if (lane_stride == 1) {
        const __mmask16 low = first_lanes(count), high = first_lanes(count - 16);
        const __mmask16 low_stored = first_lanes(width), high_stored = first_lanes(width - 16);

        for (int64_t d = 0; d < depth; d++, x += depth_stride, panel += width) {
            _mm512_mask_storeu_ps(panel, low_stored, _mm512_maskz_loadu_ps(low, x));
            if (high_stored)
                _mm512_mask_storeu_ps(panel + 16, high_stored, _mm512_maskz_loadu_ps(high, x + 16));
        }
        return;
    }
    for (int64_t d = 0; d < depth; d += 16)
        for (int64_t l = 0; l < width; l += 16)
            transpose_block(x + l * lane_stride + d, lane_stride,
                            count - l < 0    ? 0
                            : count - l < 16 ? count - l
                                             : 16,
                            depth - d < 16 ? depth - d : 16, panel + d * width + l, width, first_lanes(width - l));
}

/* Lane l of the mask's 16 becomes bit 2 * l. */
static inline uint32_t spread(uint32_t m)
{
    m = (m | m << 8) & 0x00ff00ff;
    m = (m | m << 4) & 0x0f0f0f0f;
    m = (m | m << 2) & 0x33333333;
    return (m | m << 1) & 0x55555555;
}
static inline __m512 merge_every_second(__m512 v, __mmask16 m, const float *x)
{
    const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    const uint32_t bits = spread(m);
    const __m512 a = _mm512_maskz_loadu_ps((__mmask16)bits, x),
                 b = _mm512_maskz_loadu_ps((__mmask16)(bits >> 16), x + 16);

    return _mm512_mask_mov_ps(v, m, _mm512_permutex2var_ps(a, even, b));
}
static void pack_runs_4_loop(const struct pack_runs *p, int64_t from, int64_t depth, float *panel)
{
    const __mmask16 low_stored = first_lanes(p->width), high_stored = first_lanes(p->width - 16);
    const int64_t last =
        p->tap_offset[0] > p->tap_offset[p->taps - 1] ? 0 : p->taps - 1; /* the tap that sees furthest */
    const int64_t ahead = p->tap_offset[last] + p->runs[0].offset + p->width * p->step;
    int64_t tap = from % p->taps;
    const float *x = (const float *)p->x + from / p->taps * p->channel_stride;

    if (p->step != 1 && p->step != 2) {
        pack_runs_4_any(p, from, depth, panel);
        return;
    }
    for (int64_t d = 0; d < depth; d++, panel += p->width) {
        const int64_t end = p->first ? p->first[tap + 1] : p->count;
        __m512 low = _mm512_setzero_ps(), high = low;

        for (int64_t i = p->first ? p->first[tap] : 0; i < end; i++) {
            const float *at = x + p->tap_offset[tap] + p->runs[i].offset;
            const __mmask16 m = (__mmask16)p->runs[i].mask, n = (__mmask16)(p->runs[i].mask >> 16);

            if (p->step == 1) {
                low = m == 0xffff ? _mm512_loadu_ps(at) : m ? _mm512_mask_loadu_ps(low, m, at) : low;
                high = n == 0xffff ? _mm512_loadu_ps(at + 16) : n ? _mm512_mask_loadu_ps(high, n, at + 16) : high;
            } else {
                low = merge_every_second(low, m, at);
                if (n)
                    high = merge_every_second(high, n, at + 32);
            }
        }
        _mm512_mask_storeu_ps(panel, low_stored, low);
        if (high_stored)
            _mm512_mask_storeu_ps(panel + 16, high_stored, high);
        if (++tap == p->taps) { /* where the next panel will look for the first time */
            _mm_prefetch((const char *)(x + ahead), _MM_HINT_T0);
            _mm_prefetch((const char *)(x + ahead + 16), _MM_HINT_T0);
            tap = 0;
            x += p->channel_stride;
        }
    }
}
static void pack_lanes_4_loop(const struct pack_lanes *p, float *panel)
{
    const __mmask16 wanted = first_lanes(p->depth);

    if (p->step != 1 && p->step != 2) {
        pack_lanes_4_any(p, panel);
        return;
    }
    for (int64_t l = 0; l < p->width; l += 16) {
        const __mmask16 stored = first_lanes(p->width - l);
        __m512 r[16];

#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            r[i] = _mm512_setzero_ps();
            if (l + i < p->count) {
                const __mmask16 m = (__mmask16)(p->masks[p->lane_tap[l + i]] >> p->skip) & wanted;
                const float *at = (const float *)p->x + p->lane_offset[l + i];

                r[i] = p->step == 1 ? _mm512_maskz_loadu_ps(m, at) : merge_every_second(r[i], m, at);
            }
        }
        transpose_16(r);
#pragma GCC unroll 16
        for (int j = 0; j < 16; j++)
            if (j < p->depth)
                _mm512_mask_storeu_ps(panel + j * p->width + l, stored, r[j]);
    }
}

static inline __m512 finish(const struct store_runs *s, __m512 v, float bias)
{
    if (s->bias)
        v = _mm512_add_ps(v, _mm512_set1_ps(bias));
    if (s->relu)
        v = _mm512_mask_mov_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), _mm512_setzero_ps());
    return v;
}
static void store_runs_4_loop(const struct store_runs *s, const float *tile, int64_t rows)
{
    const __mmask16 low_lanes = first_lanes(s->width), high_lanes = first_lanes(s->width - 16);

    if (s->step != 1) {
        store_runs_4_any(s, tile, rows);
        return;
    }
    for (int64_t r = 0; r < rows; r++, tile += s->tile_stride) {
        const __m512 low = _mm512_maskz_loadu_ps(low_lanes, tile), high = _mm512_maskz_loadu_ps(high_lanes, tile + 16);
        const float bias = s->bias ? ((const float *)s->bias)[r] : 0;

        for (int64_t i = 0; i < s->count; i++) {
            float *to = (float *)s->y + r * s->row_stride + s->runs[i].offset;
            const __mmask16 m = (__mmask16)s->runs[i].mask, n = (__mmask16)(s->runs[i].mask >> 16);

            if (m)
                _mm512_mask_storeu_ps(to, m,
                                      finish(s, s->add ? _mm512_add_ps(low, _mm512_maskz_loadu_ps(m, to)) : low, bias));
            if (n)
                _mm512_mask_storeu_ps(
                    to + 16, n,
                    finish(s, s->add ? _mm512_add_ps(high, _mm512_maskz_loadu_ps(n, to + 16)) : high, bias));
        }
    }
}

#endif
