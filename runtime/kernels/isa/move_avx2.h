/* Moving elements with AVX2. */
#ifndef KILN_KERNELS_ISA_MOVE_AVX2_H
#define KILN_KERNELS_ISA_MOVE_AVX2_H

#include "kernels/isa/move.h"
#include <immintrin.h>

/* Bits 0 to 7 as the signs of 8 lanes, which is what masked loads and stores look at. */
static inline __m256i lanes_of(uint32_t bits)
{
    return _mm256_sllv_epi32(_mm256_set1_epi32((int)bits), _mm256_set_epi32(24, 25, 26, 27, 28, 29, 30, 31));
}
static inline __m256i first_lanes(int64_t n)
{
    return lanes_of(n >= 8 ? 0xff : n <= 0 ? 0 : (1u << n) - 1);
}

static inline void transpose_8(__m256 r[8])
{
    __m256 t[8], u[8];

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) { /* u[4i + j]: element j of each half, rows 4i to 4i + 3 */
        u[4 * i] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0x44);
        u[4 * i + 1] = _mm256_shuffle_ps(t[4 * i], t[4 * i + 2], 0xee);
        u[4 * i + 2] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0x44);
        u[4 * i + 3] = _mm256_shuffle_ps(t[4 * i + 1], t[4 * i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int j = 0; j < 4; j++) {
        r[j] = _mm256_permute2f128_ps(u[j], u[4 + j], 0x20);
        r[4 + j] = _mm256_permute2f128_ps(u[j], u[4 + j], 0x31);
    }
}

/* Rows x[i * x_stride ...], `rows` and `columns` at most 8, come out as columns; `stored` lanes of them, zeros from
 * `rows` on. */
static inline void transpose_block(const float *x, int64_t x_stride, int64_t rows, int64_t columns, float *y,
                                   int64_t y_stride, __m256i stored)
{
    const __m256i wanted = first_lanes(columns);
    __m256 r[8];

#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r[i] = i < rows ? _mm256_maskload_ps(x + i * x_stride, wanted) : _mm256_setzero_ps();
    transpose_8(r);
#pragma GCC unroll 8
    for (int j = 0; j < 8; j++)
        if (j < columns)
            _mm256_maskstore_ps(y + j * y_stride, stored, r[j]);
}

static void transpose_4_loop(const uint32_t *x, int64_t x_stride, uint32_t *y, int64_t y_stride, int64_t rows,
                             int64_t columns)
{
    const int64_t done = transposed_columns(x, x_stride, y, y_stride, rows, columns);

    for (int64_t r = 0; r < rows; r += 8)
        for (int64_t c = done; c < columns; c += 8)
            transpose_block((const float *)x + r * x_stride + c, x_stride, rows - r < 8 ? rows - r : 8,
                            columns - c < 8 ? columns - c : 8, (float *)y + c * y_stride + r, y_stride,
                            first_lanes(rows - r));
}

static void pack_4_loop(const float *x, int64_t lane_stride, int64_t depth_stride, int64_t count, int64_t width,
                        int64_t depth, float *panel)
{
    if (lane_stride != 1 && depth_stride != 1) {
        pack_4_any(x, lane_stride, depth_stride, count, width, depth, panel);
        return;
    }
    for (int64_t l = 0; l < width; l += 8) {
        const __m256i loaded = first_lanes(count - l), stored = first_lanes(width - l);

        if (lane_stride == 1)
            for (int64_t d = 0; d < depth; d++)
                _mm256_maskstore_ps(panel + d * width + l, stored,
                                    _mm256_maskload_ps(x + d * depth_stride + l, loaded));
        else
            for (int64_t d = 0; d < depth; d += 8)
                transpose_block(x + l * lane_stride + d, lane_stride,
                                count - l < 0   ? 0
                                : count - l < 8 ? count - l
                                                : 8,
                                depth - d < 8 ? depth - d : 8, panel + d * width + l, width, stored);
    }
}

static void pack_runs_4_loop(const struct pack_runs *p, int64_t from, int64_t depth, float *panel)
{
    int64_t tap = from % p->taps;
    const float *x = (const float *)p->x + from / p->taps * p->channel_stride;

    if (p->step != 1) {
        pack_runs_4_any(p, from, depth, panel);
        return;
    }
    for (int64_t d = 0; d < depth; d++, panel += p->width) {
        const int64_t end = p->first ? p->first[tap + 1] : p->count;

        for (int64_t l = 0; l < p->width; l += 8) {
            __m256 v = _mm256_setzero_ps();

            for (int64_t i = p->first ? p->first[tap] : 0; i < end; i++) {
                const uint32_t bits = p->runs[i].mask >> l;

                if (bits & 0xff)
                    v = _mm256_or_ps(
                        v, _mm256_maskload_ps(x + p->tap_offset[tap] + p->runs[i].offset + l, lanes_of(bits)));
            }
            _mm256_maskstore_ps(panel + l, first_lanes(p->width - l), v);
        }
        if (++tap == p->taps) {
            tap = 0;
            x += p->channel_stride;
        }
    }
}
static void pack_lanes_4_loop(const struct pack_lanes *p, float *panel)
{
    if (p->step != 1) {
        pack_lanes_4_any(p, panel);
        return;
    }
    for (int64_t d = 0; d < p->depth; d += 8)
        for (int64_t l = 0; l < p->width; l += 8) {
            const __m256i stored = first_lanes(p->width - l);
            const uint32_t wanted = p->depth - d < 8 ? (1u << (p->depth - d)) - 1 : 0xff;
            __m256 r[8];

#pragma GCC unroll 8
            for (int i = 0; i < 8; i++) {
                r[i] = _mm256_setzero_ps();
                if (l + i < p->count) {
                    const uint32_t bits = (uint32_t)p->masks[p->lane_tap[l + i]] >> (p->skip + d) & wanted;

                    r[i] = _mm256_maskload_ps((const float *)p->x + p->lane_offset[l + i] + d, lanes_of(bits));
                }
            }
            transpose_8(r);
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++)
                if (d + j < p->depth)
                    _mm256_maskstore_ps(panel + (d + j) * p->width + l, stored, r[j]);
        }
}

static void store_runs_4_loop(const struct store_runs *s, const float *tile, int64_t rows)
{
    if (s->step != 1) {
        store_runs_4_any(s, tile, rows);
        return;
    }
    for (int64_t r = 0; r < rows; r++, tile += s->tile_stride)
        for (int64_t l = 0; l < s->width; l += 8) {
            const __m256 sum = _mm256_maskload_ps(tile + l, first_lanes(s->width - l));

            for (int64_t i = 0; i < s->count; i++) {
                float *to = (float *)s->y + r * s->row_stride + s->runs[i].offset + l;
                const uint32_t bits = s->runs[i].mask >> l & 0xff;
                const __m256i m = lanes_of(bits);
                __m256 v = sum;

                if (!bits)
                    continue;
                if (s->add)
                    v = _mm256_add_ps(v, _mm256_maskload_ps(to, m));
                if (s->bias)
                    v = _mm256_add_ps(v, _mm256_set1_ps(((const float *)s->bias)[r]));
                if (s->relu)
                    v = _mm256_andnot_ps(_mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ), v);
                _mm256_maskstore_ps(to, m, v);
            }
        }
}

#endif
