#include "kernels/conv_pack.h"
#include "tensor/half.h"

#define ELEMENT    double
#define SUM        double
#define READ(e)    (e)
#define WRITE(v)   (v)
#define PACK_RUNS  pack_runs_f64
#define PACK_LANES pack_lanes_f64
#define STORE_RUNS store_runs_f64
#include "kernels/runs.h"
#define ELEMENT    uint16_t
#define SUM        float
#define READ(e)    f16_to_f32(e)
#define WRITE(v)   f32_to_f16(v)
#define PACK_RUNS  pack_runs_f16
#define PACK_LANES pack_lanes_f16
#define STORE_RUNS store_runs_f16
#include "kernels/runs.h"
#define ELEMENT    uint16_t
#define SUM        float
#define READ(e)    bf16_to_f32(e)
#define WRITE(v)   f32_to_bf16(v)
#define PACK_RUNS  pack_runs_bf16
#define PACK_LANES pack_lanes_bf16
#define STORE_RUNS store_runs_bf16
#include "kernels/runs.h"

void conv_pack_runs(const struct kernels *k, enum dtype dtype, const struct pack_runs *p, int64_t from, int64_t depth,
                    void *panel)
{
    if (dtype == F32)
        k->gemm->pack_runs_4(p, from, depth, panel);
    else if (dtype == F64)
        pack_runs_f64(p, from, depth, panel);
    else if (dtype == F16)
        pack_runs_f16(p, from, depth, panel);
    else if (dtype == BF16)
        pack_runs_bf16(p, from, depth, panel);
}

void conv_pack_lanes(const struct kernels *k, enum dtype dtype, const struct pack_lanes *p, void *panel)
{
    if (dtype == F32)
        k->gemm->pack_lanes_4(p, panel);
    else if (dtype == F64)
        pack_lanes_f64(p, panel);
    else if (dtype == F16)
        pack_lanes_f16(p, panel);
    else if (dtype == BF16)
        pack_lanes_bf16(p, panel);
}

void conv_store_runs(const struct kernels *k, enum dtype dtype, const struct store_runs *s, const void *tile,
                     int64_t rows)
{
    if (dtype == F32)
        k->gemm->store_runs_4(s, tile, rows);
    else if (dtype == F64)
        store_runs_f64(s, tile, rows);
    else if (dtype == F16)
        store_runs_f16(s, tile, rows);
    else if (dtype == BF16)
        store_runs_bf16(s, tile, rows);
}

void conv_pack_strided(const struct kernels *k, enum dtype dtype, const void *base, int64_t at, int64_t lane,
                       int64_t step, int64_t count, int64_t width, int64_t depth, void *panel)
{
    const void *const x = (const char *)base + at * (int64_t)dtype_size(dtype);
    float *p = panel;

    if (dtype == F32) {
        k->gemm->pack_4(x, lane, step, count, width, depth, panel);
        return;
    }
    if (dtype == F64) {
        k->gemm->pack_8(x, lane, step, count, width, depth, panel);
        return;
    }
    for (int64_t d = 0; d < depth; d++, p += width)
        for (int64_t l = 0; l < width; l++) {
            const uint16_t h = l < count ? ((const uint16_t *)x)[l * lane + d * step] : 0;

            p[l] = half_to_f32(dtype, h);
        }
}
