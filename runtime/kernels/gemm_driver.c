/* The driver around the micro-kernels of BLIS, and the choice among them.
 *
 * Micro-kernels are all that is taken from BLIS: they allocate nothing. What fills its contexts does, and ends the
 * process where it cannot; so the block sizes of its configurations (0.9) stand here. Its choice by a list of known
 * CPUs is not ours either: the configuration follows from what the CPU can do.
 *
 * A micro-kernel multiplies a panel of MR lanes with one of NR lanes. The one along which it stores vectors is called
 * wide here, the other narrow; A goes to either. */
#include "base/memory.h"
#include "kernels/gemm.h"
#include "kernels/machine.h"
#include "kernels/parts.h"
#include <blis.h>
#include <string.h>

enum { MAX_LANES = 32, SLACK = 1024 }; /* micro-kernels read a little beyond a panel */

/* -- the configuration -- */

/* What every CPU of a kind runs. */
#if defined(BLIS_KERNELS_ARMV8A)
#define PLAIN_SINGLE bli_sgemm_armv8a_asm_8x12
#define PLAIN_TWICE  bli_dgemm_armv8a_asm_6x8
#elif defined(BLIS_CONFIG_GENERIC)
#ifdef GEMM_UKR2_PROT /* 2.x: of two types each */
#define PLAIN_SINGLE bli_ssgemm_generic_ref
#define PLAIN_TWICE  bli_ddgemm_generic_ref
#else
#define PLAIN_SINGLE bli_sgemm_generic_ref
#define PLAIN_TWICE  bli_dgemm_generic_ref
#endif
#ifdef gemm_params /* 1.x and 2.x */
void PLAIN_SINGLE(gemm_params, BLIS_AUXINFO_PARAM, BLIS_CNTX_PARAM);
void PLAIN_TWICE(gemm_params, BLIS_AUXINFO_PARAM, BLIS_CNTX_PARAM);
#else
GEMM_UKR_PROT(float, s, gemm_generic_ref)
GEMM_UKR_PROT(double, d, gemm_generic_ref)
#endif
#else
#error "BLIS must be built as x86_64, cortexa57 or generic: others have no micro-kernels for every CPU"
#endif

/* BLIS 0.9 has pointers to numbers in these, later ones to anything, and each its own names for the types. */
typedef __typeof__(PLAIN_SINGLE) single_kernel;
typedef __typeof__(PLAIN_TWICE) twice_kernel;

struct micro_kernel {
    single_kernel *single; /* or this, as the type is */
    twice_kernel *twice;
    int64_t mr, nr, kc, mc;
    bool rows; /* it stores rows of C, not columns */
};
struct configuration {
    const char *name;
    struct micro_kernel kernels[2]; /* float, double */
};

static const struct configuration plain = {
#if defined(BLIS_KERNELS_ARMV8A)
    "cortexa57",
    { { .single = PLAIN_SINGLE, .mr = 8, .nr = 12, .kc = 640, .mc = 120 },
      { .twice = PLAIN_TWICE, .mr = 6, .nr = 8, .kc = 240, .mc = 120 } },
#else
    "generic",
    { { .single = PLAIN_SINGLE, .mr = 4, .nr = 16, .kc = 256, .mc = 256, .rows = true },
      { .twice = PLAIN_TWICE, .mr = 4, .nr = 8, .kc = 256, .mc = 128, .rows = true } },
#endif
};

#if defined(__x86_64__)
static const struct configuration skx = {
    "skx",
    { { .single = bli_sgemm_skx_asm_32x12_l2, .mr = 32, .nr = 12, .kc = 384, .mc = 480 },
      { .twice = bli_dgemm_skx_asm_16x14, .mr = 16, .nr = 14, .kc = 256, .mc = 240 } },
};
static const struct configuration haswell = {
    "haswell",
    { { .single = bli_sgemm_haswell_asm_6x16, .mr = 6, .nr = 16, .kc = 256, .mc = 168, .rows = true },
      { .twice = bli_dgemm_haswell_asm_6x8, .mr = 6, .nr = 8, .kc = 256, .mc = 72, .rows = true } },
};
static const struct configuration sandybridge = {
    "sandybridge",
    { { .single = bli_sgemm_sandybridge_asm_8x8, .mr = 8, .nr = 8, .kc = 384, .mc = 128 },
      { .twice = bli_dgemm_sandybridge_asm_8x4, .mr = 8, .nr = 4, .kc = 256, .mc = 96 } },
};
static const struct configuration penryn = {
    "penryn",
    { { .single = bli_sgemm_penryn_asm_8x4, .mr = 8, .nr = 4, .kc = 384, .mc = 768 },
      { .twice = bli_dgemm_penryn_asm_4x4, .mr = 4, .nr = 4, .kc = 384, .mc = 384 } },
};

/* Where there is nothing for the CPU here, BLIS may have something: for CPUs without AVX2 (and where KILN_ISA is
 * "base"). */
static const struct configuration *best(void)
{
    switch (cpu_step()) {
    case STEP_AVX512:
    case STEP_AVX2:
        return &haswell;
    case STEP_AVX:
        return &sandybridge;
    case STEP_SSE41:
        return &penryn;
    default:
        return &plain;
    }
}
#endif

static const struct configuration *configuration_of(enum cpu_level level)
{
#if defined(__x86_64__)
    const enum cpu_level most = cpu_level();

    if (level > most)
        level = most;
    if (level == CPU_AVX512)
        return &skx;
    if (level == CPU_AVX2)
        return &haswell;
    if (most == CPU_BASE)
        return best();
#endif
    (void)level;
    return &plain;
}

const char *gemm_configuration(enum cpu_level level)
{
    return configuration_of(level)->name;
}

/* -- how a product is cut -- */

/* All of it follows from the shape and the micro-kernel. */
struct cut {
    const struct micro_kernel *u;
    size_t size;              /* of an element */
    bool a_first;             /* A is BLIS' A, of MR lanes */
    int64_t a_width, b_width; /* lanes of a panel */
    int64_t a_panels, b_panels;
    int64_t b_block;       /* panels of B that are packed together */
    int64_t parts, depth;  /* the depth (of a slice) is cut into parts */
    bool together;         /* B is packed in all parts at once, and a tile is finished before the next is begun */
    int64_t slices, slice; /* 1, or how many and how deep */
    size_t a_bytes, b_bytes, thread_bytes, partial_bytes;
};

/* Deep parts read and write C less often; a panel of A and one of B should still lie well in the second-level cache. */
static void cut_depth(struct cut *t, int64_t k, bool whole)
{
    enum { PANEL = 98304 };
    const int64_t most = lesser(2 * t->u->kc, PANEL / (greater(t->u->mr, t->u->nr) * (int64_t)t->size));

    t->parts = whole ? 1 : greater(1, divide_up(k, most));
    t->depth = divide_up(k, t->parts);
}

/* Slices, where the result is small and the depth is great: each is a whole product by itself, of one thread. */
static void cut_slices(struct cut *t, const struct gemm_driver *d)
{
    enum { MOST = 16, FEWEST = 4, SHALLOWEST = 256 };
    const int64_t partial = t->a_panels * t->a_width * t->b_panels * t->b_width * (int64_t)t->size;
    int64_t slices = lesser(MOST, d->k / SHALLOWEST);

    slices = lesser(slices, (int64_t)(8 << 20) / partial);
    slices = lesser(slices, (int64_t)(2. * (double)d->m * (double)d->n * (double)d->k / 3e6));
    t->slices = 1;
    t->slice = d->k;
    if (!d->sliced || d->whole_k || slices < FEWEST)
        return;
    t->slice = divide_up(d->k, slices);
    t->slices = divide_up(d->k, t->slice);
    cut_depth(t, t->slice, false);
    if (t->b_panels * t->b_width * t->depth * (int64_t)t->size > CORE_CACHE) {
        t->slices = 1;
        t->slice = d->k;
        cut_depth(t, d->k, false);
        return;
    }
    t->partial_bytes = aligned((size_t)partial);
}

static struct cut cut_of(const struct kernels *k, const struct gemm_driver *d)
{
    const struct configuration *c = configuration_of(k->level);
    struct cut t = { .u = &c->kernels[d->wide_type], .size = d->wide_type ? 8 : 4 };
    const int64_t wide = t.u->rows ? t.u->nr : t.u->mr, narrow = t.u->rows ? t.u->mr : t.u->nr;
    const int64_t straight = divide_up(d->m, d->wide_b ? narrow : wide) * divide_up(d->n, d->wide_b ? wide : narrow);
    const int64_t other = divide_up(d->m, d->wide_b ? wide : narrow) * divide_up(d->n, d->wide_b ? narrow : wide);
    const bool turn = !d->wide_fixed && other * 8 < straight * 7;
    const bool wide_a = d->wide_b == turn;

    t.a_width = wide_a ? wide : narrow;
    t.b_width = wide_a ? narrow : wide;
    t.a_first = wide_a != t.u->rows;
    t.a_panels = divide_up(d->m, t.a_width);
    t.b_panels = divide_up(d->n, t.b_width);
    cut_depth(&t, d->k, d->whole_k);
    cut_slices(&t, d);
    t.b_block = t.b_panels;
    t.together = t.slices == 1 && t.b_panels * t.b_width * d->k <= t.u->mc * t.u->kc;
    if (t.slices == 1 && !t.together)
        t.b_block = lesser(t.b_panels, greater(1, t.u->mc * t.u->kc / greater(1, t.depth * t.b_width)));
    t.a_bytes = aligned((size_t)(t.a_width * t.depth) * t.size + SLACK);
    t.b_bytes = aligned((size_t)(t.b_width * (t.together ? d->k : t.depth) * t.b_block) * t.size + SLACK);
    t.thread_bytes = t.a_bytes + aligned(d->local_bytes) + (t.slices > 1 ? t.b_bytes : 0);
    return t;
}

size_t gemm_driver_scratch(const struct kernels *k, const struct gemm_driver *d, int threads)
{
    struct cut t;

    if (d->m == 0 || d->n == 0)
        return 0;
    t = cut_of(k, d);
    return (size_t)threads * t.thread_bytes + (t.slices > 1 ? (size_t)t.slices * t.partial_bytes : t.b_bytes);
}

/* -- tiles -- */

struct drive {
    const struct gemm_driver *d;
    struct pool *pool;
    struct cut t;
    char *shared;           /* panels of B, or the partial results of slices */
    char *threads;          /* for each: a panel of A, local memory, panels of B */
    int64_t j_panel, block; /* panels of B at hand: the first, how many */
    int64_t part, part_end; /* parts at hand */
    int64_t i_groups, i_each, j_groups, j_each;
};

static void multiply(const struct cut *t, int64_t rows, int64_t columns, int64_t depth, double alpha, const void *a,
                     const void *b, double beta, void *c, int64_t c_row, int64_t c_col)
{
    const bool f = t->a_first;
    const int64_t m = f ? rows : columns, n = f ? columns : rows, rs = f ? c_row : c_col, cs = f ? c_col : c_row;
    void *const p = (void *)(uintptr_t)(f ? a : b), *const q = (void *)(uintptr_t)(f ? b : a); /* BLIS has no const */
    auxinfo_t next = { 0 };

    bli_auxinfo_set_next_ab(p, q, &next);
    if (t->size == 8) {
        t->u->twice(m, n, depth, &alpha, p, q, &beta, c, rs, cs, &next, NULL);
    } else {
        float fa = (float)alpha, fb = (float)beta;

        t->u->single(m, n, depth, &fa, p, q, &fb, c, rs, cs, &next, NULL);
    }
}

/* Strides of a whole tile of our own, vectors contiguous. */
static void tile_strides(const struct cut *t, struct gemm_tile *tile)
{
    const bool along_a = t->a_first != t->u->rows;

    tile->i_stride = along_a ? 1 : t->b_width;
    tile->j_stride = along_a ? t->a_width : 1;
}

/* C = tile + beta * C, for what does not come from a micro-kernel directly. */
static void put_tile(const struct gemm_driver *d, const struct gemm_tile *s)
{
    for (int64_t i = 0; i < s->rows; i++)
        for (int64_t j = 0; j < s->columns; j++) {
            const int64_t at = (s->i0 + i) * d->c_row + (s->j0 + j) * d->c_col,
                          from = i * s->i_stride + j * s->j_stride;

            if (d->wide_type) {
                double *c = (double *)d->c + at;

                *c = ((const double *)s->data)[from] + (d->beta == 0 ? 0 : d->beta * *c);
            } else {
                float *c = (float *)d->c + at;

                *c = ((const float *)s->data)[from] + (d->beta == 0 ? 0 : (float)d->beta * *c);
            }
        }
}

static struct gemm_tile tile_at(const struct drive *v, int64_t i_panel, int64_t j_panel)
{
    const struct cut *t = &v->t;
    const int64_t i0 = i_panel * t->a_width, j0 = j_panel * t->b_width;
    struct gemm_tile s = {
        .i0 = i0, .rows = lesser(t->a_width, v->d->m - i0), .j0 = j0, .columns = lesser(t->b_width, v->d->n - j0)
    };

    tile_strides(t, &s);
    return s;
}

static void compute_tile(const struct drive *v, void *local, int64_t i_panel, int64_t j_panel, int64_t part,
                         int64_t depth, const void *a, const void *b)
{
    const struct gemm_driver *d = v->d;
    const struct cut *t = &v->t;
    _Alignas(64) char data[MAX_LANES * MAX_LANES * sizeof(double)];
    struct gemm_tile s = tile_at(v, i_panel, j_panel);

    s.first = part == 0;
    s.last = part == t->parts - 1;
    if (!d->store && depth > 0) {
        char *c = (char *)d->c + (s.i0 * d->c_row + s.j0 * d->c_col) * (int64_t)t->size;

        multiply(t, s.rows, s.columns, depth, d->alpha, a, b, s.first ? d->beta : 1, c, d->c_row, d->c_col);
        return;
    }
    if (depth > 0)
        multiply(t, t->a_width, t->b_width, depth, d->store ? 1 : d->alpha, a, b, 0, data, s.i_stride, s.j_stride);
    else
        memset(data, 0, (size_t)(t->a_width * t->b_width) * t->size);
    s.data = data;
    if (d->store)
        d->store(d->c, local, &s);
    else
        put_tile(d, &s);
}

/* -- without slices -- */

static int64_t part_depth(const struct drive *v, int64_t whole, int64_t part)
{
    return lesser(v->t.depth, whole - part * v->t.depth);
}

/* Panels of B at hand lie part by part. */
static char *b_panel(const struct drive *v, int64_t part, int64_t j, int64_t depth)
{
    const struct cut *t = &v->t;

    return v->shared + (size_t)(((part - v->part) * t->depth * v->block + j * depth) * t->b_width) * t->size;
}

static void pack_b_panel(void *context, int64_t p, int thread)
{
    const struct drive *v = context;
    const struct cut *t = &v->t;
    const int64_t part = v->part + p / v->block, j = p % v->block, j0 = (v->j_panel + j) * t->b_width;
    const int64_t depth = part_depth(v, v->d->k, part);

    (void)thread;
    v->d->pack_b(v->d->b, NULL, j0, lesser(t->b_width, v->d->n - j0), t->b_width, part * t->depth, depth,
                 b_panel(v, part, j, depth));
}

static void compute_group(void *context, int64_t group, int thread)
{
    const struct drive *v = context;
    const struct cut *t = &v->t;
    const int64_t i_from = group / v->j_groups * v->i_each, i_to = lesser(i_from + v->i_each, t->a_panels);
    const int64_t j_from = group % v->j_groups * v->j_each, j_to = lesser(j_from + v->j_each, v->block);
    char *const panel = v->threads + (size_t)thread * t->thread_bytes, *const local = panel + t->a_bytes;

    for (int64_t i = i_from; i < i_to; i++)
        for (int64_t part = v->part; part < v->part_end && !pool_late(v->pool); part++) {
            const int64_t depth = part_depth(v, v->d->k, part);

            v->d->pack_a(v->d->a, local, i * t->a_width, lesser(t->a_width, v->d->m - i * t->a_width), t->a_width,
                         part * t->depth, depth, panel);
            for (int64_t j = j_from; j < j_to; j++)
                compute_tile(v, local, i, v->j_panel + j, part, depth, panel, b_panel(v, part, j, depth));
        }
}

/* A chunk is worth waking a thread for; there are enough of them for many threads. */
static void cut_groups(struct drive *v)
{
    enum { MOST = 64, WANTED = 16 };
    const struct cut *t = &v->t;
    const double panel_work =
        2. * (double)(t->a_width * t->b_width) * (double)greater(1, t->together ? v->d->k : t->depth);
    const int64_t worth = 1 + (int64_t)(5e5 / (panel_work * (double)v->block));

    v->i_each = greater(worth, divide_up(t->a_panels, MOST));
    v->i_groups = divide_up(t->a_panels, v->i_each);
    v->j_each = v->block;
    if (v->i_groups < WANTED && v->i_each == 1)
        v->j_each = greater(greater(4, 1 + (int64_t)(5e5 / panel_work)), divide_up(v->block * v->i_groups, WANTED));
    v->j_groups = divide_up(v->block, v->j_each);
    v->j_each = divide_up(v->block, v->j_groups);
}

static void drive_whole(struct pool *pool, struct drive *v)
{
    struct cut *t = &v->t;
    const double work = 2. * (double)v->d->m * (double)v->d->n * (double)greater(1, v->d->k);
    struct pool *const helpers = work < JOB_FLOPS ? NULL : pool;

    for (v->j_panel = 0; v->j_panel < t->b_panels; v->j_panel += t->b_block) {
        v->block = lesser(t->b_block, t->b_panels - v->j_panel);
        cut_groups(v);
        for (v->part = 0; v->part < t->parts; v->part = v->part_end) {
            const int64_t depth = t->together ? v->d->k : t->depth;

            v->part_end = t->together ? t->parts : v->part + 1;
            pool_run(v->block * t->b_width * depth > JOB_ELEMENTS ? helpers : NULL, v->block * (v->part_end - v->part),
                     pack_b_panel, v);
            pool_run(helpers, v->i_groups * v->j_groups, compute_group, v);
        }
    }
}

/* -- slices -- */

static char *partial_tile(const struct drive *v, int64_t slice, int64_t i_panel, int64_t j_panel)
{
    const struct cut *t = &v->t;

    return v->shared + (size_t)slice * t->partial_bytes +
           (size_t)((i_panel * t->b_panels + j_panel) * t->a_width * t->b_width) * t->size;
}

static void compute_slice(void *context, int64_t slice, int thread)
{
    const struct drive *v = context;
    const struct cut *t = &v->t;
    const struct gemm_driver *d = v->d;
    const int64_t from = slice * t->slice, whole = lesser(t->slice, d->k - from);
    char *const a = v->threads + (size_t)thread * t->thread_bytes, *const local = a + t->a_bytes;
    char *const b = local + aligned(d->local_bytes);
    struct gemm_tile s;

    tile_strides(t, &s);
    for (int64_t part = 0, at = 0; at < whole; part++, at += t->depth) {
        const int64_t depth = part_depth(v, whole, part);

        for (int64_t j = 0; j < t->b_panels; j++)
            d->pack_b(d->b, NULL, j * t->b_width, lesser(t->b_width, d->n - j * t->b_width), t->b_width, from + at,
                      depth, b + (size_t)(j * t->b_width * depth) * t->size);
        for (int64_t i = 0; i < t->a_panels && !pool_late(v->pool); i++) {
            d->pack_a(d->a, local, i * t->a_width, lesser(t->a_width, d->m - i * t->a_width), t->a_width, from + at,
                      depth, a);
            for (int64_t j = 0; j < t->b_panels; j++)
                multiply(t, t->a_width, t->b_width, depth, d->store ? 1 : d->alpha, a,
                         b + (size_t)(j * t->b_width * depth) * t->size, part ? 1 : 0, partial_tile(v, slice, i, j),
                         s.i_stride, s.j_stride);
        }
    }
}

/* The slices' tiles in order, then as any tile. */
static void add_slices(void *context, int64_t i, int thread)
{
    const struct drive *v = context;
    const struct cut *t = &v->t;
    const int64_t n = t->a_width * t->b_width;

    for (int64_t j = 0; j < t->b_panels; j++) {
        struct gemm_tile s = tile_at(v, i, j);

        for (int64_t slice = 1; slice < t->slices; slice++) {
            const char *const from = partial_tile(v, slice, i, j);
            char *const to = partial_tile(v, 0, i, j);

            if (t->size == 8)
                for (int64_t e = 0; e < n; e++)
                    ((double *)to)[e] += ((const double *)from)[e];
            else
                for (int64_t e = 0; e < n; e++)
                    ((float *)to)[e] += ((const float *)from)[e];
        }
        s.first = s.last = true;
        s.data = partial_tile(v, 0, i, j);
        if (v->d->store)
            v->d->store(v->d->c, v->threads + (size_t)thread * t->thread_bytes + t->a_bytes, &s);
        else
            put_tile(v->d, &s);
    }
}

void gemm_drive(const struct kernels *k, struct pool *pool, const struct gemm_driver *d, void *scratch)
{
    struct drive v = { .d = d, .pool = pool };

    if (d->m == 0 || d->n == 0)
        return;
    v.t = cut_of(k, d);
    v.shared = scratch;
    v.threads = v.shared + (v.t.slices > 1 ? (size_t)v.t.slices * v.t.partial_bytes : v.t.b_bytes);
    for (int thread = 0; d->local_bytes > 0 && thread < pool_threads(pool); thread++)
        memset(v.threads + (size_t)thread * v.t.thread_bytes + v.t.a_bytes, 0,
               (size_t)lesser((int64_t)d->local_bytes, ALIGNMENT));
    if (v.t.slices == 1) {
        drive_whole(pool, &v);
        return;
    }
    pool_run(pool, v.t.slices, compute_slice, &v);
    pool_run(pool, v.t.a_panels, add_slices, &v);
}
