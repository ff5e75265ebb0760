/* Files that an exporter has made for one number of samples are freed of it, where that computes the same. */
#include "adapt/adapt.h"
#include "adapt/step.h"
#include "data/element.h"
#include "kernels/kernels.h"
#include "learning.h"
#include "model/message.h"
#include "ops/op.h"
#include "ops/registry.h"
#include "plan/given.h"
#include "plan/program.h"
#include "run/session.h"
#include "scratch.h"
#include "train/trainable.h"
#include "unit.h"
#include <math.h>

static struct arena arena = { .budget = &budget };

static struct model *model_of(int ir, int opset, const char *text)
{
    char whole[4000];
    struct model *m;

    snprintf(whole, sizeof whole, "<ir_version: %d, opset_import: [\"\": %d]>\n%s", ir, opset, text);
    m = model_read_bytes(whole, strlen(whole), NULL, &report);
    expect_ok(m && model_build(m, &report));
    return m;
}

/* -- running -- */

static struct session *session_of(const struct model *m)
{
    struct session *s = session_new(m->graph, &(struct session_options){ .threads = 1 }, &report);

    expect_ok(s);
    return s;
}

/* Input k with so many samples, of which sample i is the one that is number first + i * step. */
static struct tensor samples_of(const struct model *m, size_t k, int64_t n, int64_t first, int64_t step)
{
    const struct value *v = m->graph->inputs[k];
    struct tensor t = v->type;
    int64_t row;
    char *data;

    for (int d = 1; d < t.rank; d++)
        t.dims[d] = t.dims[d] < 0 ? 5 : t.dims[d];
    t.dims[0] = n;
    row = tensor_bytes(&t) / n;
    t.data = data = arena_alloc(&arena, (size_t)tensor_bytes(&t), &report);
    for (int64_t i = 0; i < n; i++)
        elements_draw(t.dtype, data + i * row, row / (int64_t)dtype_size(t.dtype), 7 + (uint64_t)(first + i * step),
                      (int32_t)k);
    return t;
}

static void run(struct session *s, const struct model *m, int64_t n, int64_t first, int64_t step)
{
    for (size_t k = 0; k < m->graph->input_count; k++) {
        const struct tensor t = samples_of(m, k, n, first, step);

        expect_ok(session_set(s, m->graph->inputs[k], &t, &report));
    }
    expect_ok(session_run(s, &report));
}

/* n samples at once are what the file makes of each of them, in a batch of its own that has no other. Outputs begin with
 * the samples, or have them behind so many outer ones. */
static void expect_same(const struct model *file, int64_t size, const struct model *freed, int64_t n, int64_t outer)
{
    struct session *a = session_of(file), *b = session_of(freed);

    run(b, freed, n, 0, 1);
    for (int64_t i = 0; i < n; i++) {
        run(a, file, size, i, 0);
        for (size_t k = 0; k < file->graph->output_count; k++) {
            const struct tensor *x = session_output(a, k), *y = session_output(b, k);
            const int64_t row = tensor_count(x) / size / outer;

            ck_assert_int_eq(tensor_count(y), row * n * outer);
            ck_assert_int_eq(x->rank, y->rank);
            ck_assert(n != size || same_shape(x, y));
            for (int64_t o = 0; o < outer; o++)
                for (int64_t e = 0; e < row; e++)
                    ck_assert_float_eq_tol(((const float *)x->data)[o * size * row + e],
                                           ((const float *)y->data)[(o * n + i) * row + e], 1e-5f);
        }
    }
    session_free(a);
    session_free(b);
}

/* -- adapting -- */

static struct adapted told;

/* Lines of the batch; others tell of what trains. */
static size_t count_told(void)
{
    size_t count = 0;

    for (size_t k = 0; k < told.findings.count; k++)
        if (strstr(told.findings.at[k].found, "the batch is"))
            told.findings.at[count++] = told.findings.at[k];
    return count;
}

/* NULL where the graph stays as it was. */
static struct model *adapt_with(const struct model *m, const struct adapt_options *o)
{
    struct model *made = model_adapt(m, o, &told, &arena, &report);

    ck_assert_msg(!failed(&report), "%s: %s", report.error.where, report.error.message);
    ck_assert_ptr_nonnull(made);
    told.findings.count = count_told();
    if (!message_equal(made->proto->graph, m->proto->graph))
        return made;
    model_free(made);
    return NULL;
}

static struct model *adapt(const struct model *m, bool keep)
{
    const struct adapt_options o = { .threads = 1, .keep_batch = keep };

    return adapt_with(m, &o);
}

static void expect_finding(const char *found, const char *evidence, const char *done)
{
    const struct finding *f = told.findings.at;

    ck_assert_uint_eq(told.findings.count, 1);
    ck_assert_msg(strstr(f->found, found), "found '%s', expected '%s'", f->found, found);
    ck_assert_msg(strstr(f->evidence, evidence), "evidence '%s', expected '%s'", f->evidence, evidence);
    ck_assert_msg(strstr(f->done, done), "done '%s', expected '%s' (%s)", f->done, done, f->evidence);
}

/* -- what is freed -- */

/* Attention of two heads over four positions of four features, as PyTorch writes it with all sizes. */
#define ATTENTION(B, first)                                                                                            \
    "g (float[" B ",4,4] x) => (float[" B                                                                              \
    ",4,4] y) <float[4,4] w = {1,2,3,4,5,6,7,8,1,2,1,2,0,1,0,1}, float k = {0.01},\n"                                  \
    " int64[4] s = {" first ",4,2,2}, int64[3] t = {" first ",4,4}>\n"                                                 \
    "{ p = MatMul (x, w) q = Mul (p, k) a = Reshape (q, s) b = Transpose <perm = [0,2,1,3]> (a)\n"                     \
    "  c = Transpose <perm = [0,1,3,2]> (b) d = MatMul (b, c) e = Softmax <axis = 3> (d) f = MatMul (e, b)\n"          \
    "  h = Transpose <perm = [0,2,1,3]> (f) y = Reshape (h, t) }"

static const struct {
    int opset;
    int64_t size, outer;
    const char *text, *found, *evidence, *done;
} freed[] = {
    /* declared alone */
    { 13, 4, 1, "g (float[4,3] x) => (float[4,1] y) <float[3,1] w = {1,2,3}> { y = MatMul (x, w) }",
      "the batch is declared as 4", "float[4,3]",
      "freed: 0 constants, 2 declared shapes; 1 batch of 3 equals 3 runs of 4" },
    { 7, 1, 1, "g (float[1,3] x) => (float[1,1] y) <float[3,1] w = {1,2,3}> { y = MatMul (x, w) }",
      "the batch is declared as 1", "float[1,3]",
      "freed: 0 constants, 2 declared shapes; 1 batch of 3 equals 3 runs of 1" },
    /* a Reshape: the batch goes to a dimension that is copied, that follows, or for which another is told */
    { 7, 4, 1, "g (float[4,3,2] x) => (float[4,6] y) <int64[2] s = {4,6}> { y = Reshape (x, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [4,6]", "freed: 1 constant, 2 declared shapes" },
    { 13, 1, 1, "g (float[1,3,2] x) => (float[1,6] y) <int64[2] s = {1,-1}> { y = Reshape (x, s) }",
      "the batch is fixed to 1", "Reshape 'y' has [1,-1]", "freed: 1 constant, 2 declared shapes" },
    { 21, 4, 1,
      "g (float[4,3,2] x) => (float[4,6] y) { s = Constant <value_ints = [4,6]> () r = Reshape <allowzero = 1> (x, s) "
      "y = Relu (r) }",
      "the batch is fixed to 4", "Reshape 'r' has [4,6]", "freed: 1 constant" },
    { 14, 4, 1,
      "g (float[4,3,2] x) => (float[4,6] y) { s = Constant <value_ints = [4,-1]> () r = Reshape <allowzero = 1> (x, s) "
      "y = Relu (r) }",
      "the batch is fixed to 4", "Reshape 'r' has [4,-1]", "freed: 1 constant" },
    { 9, 4, 1,
      "g (float[4,6] x) => (float[4,3,2] y) { s = Constant <value = int64[3] {4,-1,2}> () y = Reshape (x, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [4,-1,2]", "freed: 1 constant" },
    { 13, 4, 1, "g (float[4,3,2] x) => (float[4,3,2] y) <int64[3] s = {4,0,2}> { y = Reshape (x, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [4,0,2]", "freed: 1 constant" },
    /* computed of constants */
    { 13, 4, 1,
      "g (float[4,3,2] x) => (float[4,6] y) <int64[1] b = {4}, int64[1] c = {6}> { s = Concat <axis = 0> (b, c) y = "
      "Reshape (x, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [4,6]", "freed: 1 constant" },
    /* a vector that two read */
    { 13, 4, 1,
      "g (float[4,3,2] x) => (float[4,6] y, float[4,6] z) <int64[2] s = {4,6}> { y = Reshape (x, s) r = Relu (x) z = "
      "Reshape (r, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [4,6]; Reshape 'z' has [4,6]",
      "freed: 2 constants, 3 declared shapes" },
    /* samples and heads in one dimension, and back */
    { 13, 1, 1, ATTENTION("1", "1"), "the batch is fixed to 1", "Reshape 'a' has [1,4,2,2]; Reshape 'y' has [1,4,4]",
      "freed: 2 constants" },
    { 13, 4, 1, ATTENTION("4", "4"), "the batch is fixed to 4", "Reshape 'a' has [4,4,2,2]; Reshape 'y' has [4,4,4]",
      "freed: 2 constants" },
    { 13, 4, 1,
      "g (float[4,2,3,5] x) => (float[4,2,3,3] y) <int64[3] s = {8,3,5}, int64[4] t = {4,2,3,3}>\n"
      "{ a = Reshape (x, s) b = Transpose <perm = [0,2,1]> (a) c = MatMul (a, b) y = Reshape (c, t) }",
      "the batch is fixed to 4", "Reshape 'a' has [8,3,5]; Reshape 'y' has [4,2,3,3]", "freed: 2 constants" },
    { 13, 1, 1,
      "g (float[1,2,3,5] x) => (float[1,2,3,3] y) <int64[3] s = {2,3,5}, int64[4] t = {1,2,3,3}>\n"
      "{ a = Reshape (x, s) b = Transpose <perm = [0,2,1]> (a) c = MatMul (a, b) y = Reshape (c, t) }",
      "the batch is fixed to 1", "Reshape 'a' has [2,3,5]; Reshape 'y' has [1,2,3,3]", "freed: 2 constants" },
    /* positions first, as torch.nn.MultiheadAttention has them: [positions, samples * heads, features] */
    { 13, 1, 1,
      "g (float[1,3,4] x) => (float[1,3,4] y) <float[4,4] w = {1,2,3,4,5,6,7,8,1,2,1,2,0,1,0,1}, int64[2] f = {3,4}, "
      "int64[3] u = {3,1,4}, int64[3] s = {3,2,2}, int64[2] t = {3,4}>\n"
      "{ a = Transpose <perm = [1,0,2]> (x) b = Reshape (a, f) c = MatMul (b, w) d = Reshape (c, u) e = Reshape (d, "
      "s)\n"
      "  h = Transpose <perm = [1,0,2]> (e) i = Transpose <perm = [0,2,1]> (h) j = MatMul (h, i) k = MatMul (j, h)\n"
      "  l = Transpose <perm = [1,0,2]> (k) m = Reshape (l, t) n = MatMul (m, w) o = Reshape (n, u) y = Transpose "
      "<perm = [1,0,2]> (o) }",
      "the batch is fixed to 1", "Reshape 'b' has [3,4]; Reshape 'd' has [3,1,4]; Reshape 'e' has [3,2,2]; and 2 more",
      "freed: 5 constants" },
    { 13, 4, 1,
      "g (float[4,3,4] x) => (float[4,3,4] y) <float[4,4] w = {1,2,3,4,5,6,7,8,1,2,1,2,0,1,0,1}, int64[2] f = {12,4}, "
      "int64[3] u = {3,4,4}>\n"
      "{ a = Transpose <perm = [1,0,2]> (x) b = Reshape (a, f) c = MatMul (b, w) d = Reshape (c, u) y = Transpose "
      "<perm = [1,0,2]> (d) }",
      "the batch is fixed to 4", "Reshape 'b' has [12,4]; Reshape 'd' has [3,4,4]", "freed: 2 constants" },
    /* as many positions as samples */
    { 13, 4, 1,
      "g (float[4,4,2] x) => (float[4,4,2] y) <float[2,2] w = {1,2,3,4}, int64[2] f = {16,2}, int64[3] u = {4,4,2}>\n"
      "{ a = Transpose <perm = [1,0,2]> (x) b = Reshape (a, f) c = MatMul (b, w) d = Reshape (c, u) y = Transpose "
      "<perm = [1,0,2]> (d) }",
      "the batch is fixed to 4", "Reshape 'b' has [16,2]; Reshape 'd' has [4,4,2]", "freed: 2 constants" },
    /* 1 that is no batch, where another is taken first and leads nowhere */
    { 13, 1, 1,
      "g (float[1,2] x) => (float[1,3] y) <float[1,2,3] w = {1,2,3,4,5,6}, int64[3] s = {1,1,2}, int64[3] k = {1,1,1}, "
      "int64[1] a = {0}>\n"
      "{ r = Reshape (x, s) p = MatMul (r, w) y = Squeeze (p, a) }",
      "the batch is fixed to 1", "Reshape 'r' has [1,1,2]", "freed: 1 constant" },
    /* other open dimensions: nothing is told of them */
    { 13, 4, 1,
      "g (float[4,S,2,2] x) => (float[4,S,4] y) <int64[3] s = {4,-1,4}> { t = Transpose <perm = [1,0,2,3]> (x) u = "
      "Transpose <perm = [1,0,2,3]> (t) y = Reshape (u, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [4,-1,4]", "freed: 1 constant" },
    { 13, 4, 1, "g (float[4,2,S] x) => (float[M,S] y) <int64[2] s = {8,-1}> { y = Reshape (x, s) }",
      "the batch is fixed to 4", "Reshape 'y' has [8,-1]", "freed: 1 constant, 1 declared shape" },
    /* the class token of a vision transformer, expanded, folded, or made of a constant */
    { 13, 1, 1,
      "g (float[1,3,2] x) => (float[1,4,2] y) <float[1,1,2] c = {5,6}, float[1,4,2] p = {1,2,3,4,5,6,7,8}, int64[3] s "
      "= {1,-1,-1}>\n"
      "{ e = Concat <axis = 1> (c, x) y = Add (e, p) }",
      "the batch is fixed to 1", "Concat 'e' has 'c' for 1 sample", "freed: 1 constant" },
    { 13, 4, 1,
      "g (float[4,3,2] x) => (float[4,4,2] y) <float[4,1,2] c = {5,6,5,6,5,6,5,6}, float[1,4,2] p = "
      "{1,2,3,4,5,6,7,8}>\n"
      "{ e = Concat <axis = 1> (c, x) y = Add (e, p) }",
      "the batch is fixed to 4", "Concat 'e' has 'c' for 4 samples", "freed: 1 constant" },
    { 8, 4, 1,
      "g (float[4,3,2] x) => (float[4,4,2] y) <float[1,1,2] c = {5,6}, int64[3] s = {4,1,2}>\n"
      "{ d = Expand (c, s) y = Concat <axis = 1> (d, x) }",
      "the batch is fixed to 4", "Expand 'd' has [4,1,2]", "freed: 1 constant" },
    { 13, 1, 1,
      "g (float[1,3,2] x) => (float[1,5,2] y) <float[1,1,2] c = {5,6}, float[1,1,2] d = {7,8}, int64[3] s = {1,1,2}>\n"
      "{ e = Expand (c, s) y = Concat <axis = 1> (e, d, x) }",
      "the batch is fixed to 1", "Expand 'e' has [1,1,2]; Concat 'y' has 'd' for 1 sample", "freed: 2 constants" },
    { 7, 4, 1,
      "g (float[4,3,2] x) => (float[4,4,2] y) <float[1,1,2] c = {5,6}, int64[3] s = {4,1,1}>\n"
      "{ d = Tile (c, s) y = Concat <axis = 1> (d, x) }",
      "the batch is fixed to 4", "Tile 'd' has [4,1,1]", "freed: 1 constant" },
    { 7, 1, 1, "g (float[1,3,2] x) => (float[1,4,2] y) <float[1,1,2] c = {5,6}> { y = Concat <axis = 1> (c, x) }",
      "the batch is fixed to 1", "Concat 'y' has 'c' for 1 sample", "freed: 1 constant" },
    { 13, 4, 1,
      "g (float[4,3,2] x) => (float[4,4,2] y) { c = Constant <value = float[4,1,2] {5,6,5,6,5,6,5,6}> () y = Concat "
      "<axis = 1> (c, x) }",
      "the batch is fixed to 4", "Concat 'y' has 'c' for 4 samples", "freed: 1 constant" },
    /* an addend for each sample, the same for all; of samples and heads */
    { 13, 4, 1, "g (float[4,2] x) => (float[4,2] y) <float[4,2] c = {5,6,5,6,5,6,5,6}> { y = Add (x, c) }",
      "the batch is fixed to 4", "Add 'y' has 'c' for 4 samples", "freed: 1 constant" },
    { 13, 2, 1,
      "g (float[2,2,3] x) => (float[2,2,3] y) <float[4,3] c = {1,2,3,4,5,6,1,2,3,4,5,6}, int64[2] s = {4,3}, int64[3] "
      "t = {2,2,3}>\n"
      "{ a = Reshape (x, s) b = Add (a, c) y = Reshape (b, t) }",
      "the batch is fixed to 2", "Reshape 'a' has [4,3]; Add 'b' has 'c' for 2 samples; Reshape 'y' has [2,2,3]",
      "freed: 3 constants" },
    { 13, 1, 1,
      "g (float[1,2,3] x) => (float[1,2,3] y) <float[2,3] c = {1,2,3,4,5,6}, int64[2] s = {2,3}, int64[3] t = "
      "{1,2,3}>\n"
      "{ a = Reshape (x, s) b = Add (a, c) y = Reshape (b, t) }",
      "the batch is fixed to 1", "Reshape 'a' has [2,3]; Add 'b' has 'c' for 1 sample; Reshape 'y' has [1,2,3]",
      "freed: 3 constants" },
    /* an Expand of what has samples */
    { 13, 4, 1, "g (float[4,1,2] x) => (float[4,3,2] y) <int64[3] s = {4,3,2}> { y = Expand (x, s) }",
      "the batch is fixed to 4", "Expand 'y' has [4,3,2]", "freed: 1 constant" },
    /* a part that is all; sizes of an image */
    { 13, 4, 1,
      "g (float[4,3] x) => (float[4,2] y) <int64[2] f = {0,1}, int64[2] t = {4,3}, int64[2] a = {0,1}> { y = Slice (x, "
      "f, t, a) }",
      "the batch is fixed to 4", "Slice 'y' has [4,3]", "freed: 1 constant" },
    { 9, 1, 1, "g (float[1,3] x) => (float[1,2] y) { y = Slice <starts = [0,1], ends = [1,3]> (x) }",
      "the batch is fixed to 1", "Slice 'y' has [1,3]", "freed: 1 constant" },
    { 13, 1, 1,
      "g (float[1,1,2,2] x) => (float[1,1,4,4] y) <int64[4] s = {1,1,4,4}> { y = Resize <mode = \"nearest\", "
      "coordinate_transformation_mode = \"asymmetric\", nearest_mode = \"floor\"> (x, , , s) }",
      "the batch is fixed to 1", "Resize 'y' has [1,1,4,4]", "freed: 1 constant" },
    /* all elements in their order, which is how as_strided is written */
    { 13, 2, 1,
      "g (float[2,3,1] x) => (float[2,3] y) <int64[2,3] i = {0,1,2,3,4,5}, int64[1] s = {-1}> { r = Reshape (x, s) g = "
      "Gather <axis = -1> (r, i) y = Relu (g) }",
      "the batch is fixed to 2", "Gather 'g' has 'i' for 2 samples", "freed: 1 constant" },
    { 7, 1, 1,
      "g (float[1,3,2] x) => (float[1,3,1,2] y) <int32[1,3,1,2] i = {0,1,2,3,4,5}, int64[1] s = {6}> { r = Reshape (x, "
      "s) y = Gather (r, i) }",
      "the batch is fixed to 1", "Reshape 'r' has [6]; Gather 'y' has 'i' for 1 sample", "freed: 2 constants" },
    { 13, 2, 1,
      "g (float[2,2] x) => (float[2,2] y) <int64[1,4,1] i = {0,1,2,3}, int64[1] s = {-1}, int64[2] t = {2,2}> { r = "
      "Reshape (x, s) g = Gather (r, i) y = Reshape (g, t) }",
      "the batch is fixed to 2", "Gather 'g' has 'i' for 2 samples; Reshape 'y' has [2,2]", "freed: 2 constants" },
/* initial states */
#define RECURRENT(B, state, weights)                                                                                   \
    "g (float[" B ",3,2] x) => (float[" B                                                                              \
    ",1] y) <float[1,3,2] w = {0.1,0.2,0.3,0.4,0.5,0.6}, float[1,3,1] r = {0.1,0.2,0.3}" weights ", int64[2] s = {" B  \
    ",1}>\n{ " state " t = Transpose <perm = [1,0,2]> (x) a, b = GRU <hidden_size = 1> (t, w, r, , , h)\n"             \
    " y = Reshape (b, s) }"
    { 13, 4, 1, RECURRENT("4", "", ", float[1,4,1] h = {0,0,0,0}"), "the batch is fixed to 4",
      "GRU 'a' has 'h' for 4 samples; Reshape 'y' has [4,1]", "freed: 2 constants" },
    { 7, 1, 1, RECURRENT("1", "", ", float[1,1,1] h = {0}"), "the batch is fixed to 1", "GRU 'a' has 'h' for 1 sample",
      "freed: 2 constants" },
    { 13, 4, 1, RECURRENT("4", "", ", float[1,4,1] h = {2,2,2,2}"), "the batch is fixed to 4",
      "GRU 'a' has 'h' for 4 samples", "freed: 2 constants" },
    { 7, 4, 1, RECURRENT("4", "", ", float[1,4,1] h = {2,2,2,2}"), "the batch is fixed to 4",
      "GRU 'a' has 'h' for 4 samples", "freed: 2 constants" },
    { 13, 1, 1, RECURRENT("1", "", ", float[1,1,1] h = {2}"), "the batch is fixed to 1", "GRU 'a' has 'h' for 1 sample",
      "freed: 2 constants" },
    { 9, 4, 1, RECURRENT("4", "h = ConstantOfShape (c)", ", int64[3] c = {1,4,1}"), "the batch is fixed to 4",
      "'a' has 'h' for 4 samples", "freed: 2 constants" },
    { 9, 4, 1, RECURRENT("4", "h = ConstantOfShape <value = float[1] {2}> (c)", ", int64[3] c = {1,4,1}"),
      "the batch is fixed to 4", "ConstantOfShape 'h' has [1,4,1]", "freed: 2 constants" },
    { 13, 3, 1,
      "g (float[3,2,2] x) => (float[3,1] y) <float[1,1,2] w = {0.1,0.2}, float[1,1,1] r = {0.5}, float[1,3,1] h = "
      "{0,0,0}, int32[3] n = {2,2,2}, int64[2] s = {3,1}>\n"
      "{ t = Transpose <perm = [1,0,2]> (x) a, b = RNN <hidden_size = 1> (t, w, r, , n, h) y = Reshape (b, s) }",
      "the batch is fixed to 3", "RNN 'a' has 'n' for 3 samples; RNN 'a' has 'h' for 3 samples; Reshape 'y' has [3,1]",
      "freed: 3 constants" },
    { 13, 2, 1,
      "g (float[2,2,2] x) => (float[2,4] y) <float[2,4,2] w = {1,2,3,4,5,6,7,8,8,7,6,5,4,3,2,1}, float[2,4,1] r = "
      "{1,2,3,4,4,3,2,1}, float[2,2,1] h = {1,1,2,2}, float[2,2,1] c = {0,0,0,0}, int32[2] n = {2,2}, int64[2] s = "
      "{2,-1}>\n"
      "{ t = Transpose <perm = [1,0,2]> (x) k = LSTM <hidden_size = 1, direction = \"bidirectional\"> (t, w, r, , n, "
      "h, c) u = Transpose <perm = [2,0,1,3]> (k) y = Reshape (u, s) }",
      "the batch is fixed to 2",
      "LSTM 'k' has 'n' for 2 samples; LSTM 'k' has 'h' for 2 samples; LSTM 'k' has 'c' for 2 samples; and 1 more",
      "freed: 4 constants" },
    /* two inputs, of which both have samples; outputs, of which one has them behind others */
    { 13, 4, 1,
      "g (float[4,3,1] x, float[4,3] z) => (float[4,3] y) <int64[2] s = {4,3}> { r = Reshape (x, s) y = Mul (r, z) }",
      "the batch is fixed to 4", "Reshape 'r' has [4,3]", "freed: 1 constant, 3 declared shapes" },
    { 13, 2, 3,
      "g (float[2,3,2] x) => (float[3,2,2] y) <int64[3] s = {2,3,2}> { r = Reshape (x, s) y = Transpose <perm = "
      "[1,0,2]> (r) }",
      "the batch is fixed to 2", "Reshape 'r' has [2,3,2]", "freed: 1 constant, 2 declared shapes" },
    /* an Expand that goes by the samples, of what does not; an addend of a Gemm */
    { 13, 4, 1,
      "g (float[4,3] x) => (float[4,3] y) <float[1,4,1] c = {7,7,7,7}, int64[1] o = {1}, int64[1] z = {0}, int64[2] s "
      "= {4,3}>\n"
      "{ h = Shape (x) n = Gather (h, z) t = Concat <axis = 0> (o, n, o) e = Expand (c, t) f = Squeeze (e, z) y = Add "
      "(x, f) }",
      "the batch is fixed to 4", "Expand 'e' has 'c' for 4 samples", "freed: 1 constant" },
    { 13, 2, 1,
      "g (float[2,3] x) => (float[2,2] y) <float[3,2] w = {1,2,3,4,5,6}, float[2,2] c = {1,2,1,2}> { y = Gemm (x, w, "
      "c) }",
      "the batch is fixed to 2", "Gemm 'y' has 'c' for 2 samples", "freed: 1 constant" },
    /* left open, and fixed all the same */
    { 13, 2, 1,
      "g (float[N,3,1] x) => (float[M,1] y) <int64[2] s = {2,3}, float[3,1] w = {1,2,3}> { r = Reshape (x, s) y = "
      "MatMul (r, w) }",
      "the batch is fixed to 2", "Reshape 'r' has [2,3]", "freed: 1 constant, 0 declared shapes" },
    /* a graph within, that takes any */
    { 13, 4, 1,
      "g (float[4,3,1] x) => (float[4,3] y) <int64 one = {1}, int64 three = {3}, int64[2] s = {4,3}>\n"
      "{ h = Shape (x) n = Gather (h, one) c = Equal (n, three) r = Reshape (x, s) y = If (c) <then_branch = t () => "
      "(float[4,3] a) { a = Relu (r) }, else_branch = e () => "
      "(float[4,3] b) { b = Neg (r) }> }",
      "the batch is fixed to 4", "Reshape 'r' has [4,3]", "freed: 1 constant" },
};

START_TEST(a_file_is_freed)
{
    struct model *m = model_of(8, freed[_i].opset, freed[_i].text), *made = adapt(m, false);
    const int64_t size = freed[_i].size;

    expect_finding(freed[_i].found, freed[_i].evidence, freed[_i].done);
    ck_assert_ptr_nonnull(made);
    ck_assert_int_eq(made->graph->inputs[0]->type.dims[0], UNKNOWN);
    expect_same(m, size, made, 1, freed[_i].outer);
    expect_same(m, size, made, size, freed[_i].outer);
    expect_same(m, size, made, size + 1, freed[_i].outer);
    expect_same(m, size, made, 2 * size + 1, freed[_i].outer);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Before version 4 of the IR an initializer is an input as well. */
START_TEST(an_old_file_is_freed)
{
    struct model *m =
                     model_of(3, 9,
                              "g (float[4,3,2] x, int64[2] s, float[4,6] c) => (float[4,6] y)\n"
                              "<int64[2] s = {4,6}, float[4,6] c = {1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6,1,2,3,4,5,6}>\n"
                              "{ r = Reshape (x, s) y = Add (r, c) }"),
                 *made = adapt(m, false);

    expect_finding("the batch is fixed to 4", "Reshape 'r' has [4,6]; Add 'y' has 'c' for 4 samples",
                   "freed: 2 constants");
    ck_assert_uint_eq(made->proto->graph->n_initializer, 2);
    ck_assert_uint_eq(made->proto->graph->n_input, 1); /* they are constants from now on */
    expect_same(m, 4, made, 3, 1);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

static const char *symbol_of(const Onnx__ValueInfoProto *v, size_t dim)
{
    const char *s = symbol_of_proto(v->type->tensor_type->shape->dim[dim]);

    return s ? s : "";
}

/* A weight stays under its name, what nobody reads any more goes, what is declared is right. */
START_TEST(a_file_says_no_more_and_no_less)
{
    struct model *m = model_of(8, 13,
                               "g (float[2,3,2] x, float[2,N] n) => (float[2,4,2] y, float[2,N] z)\n"
                               "<float[2,1,2] c = {5,6,5,6}, int64[1] b = {2}, int64[1] f = {6}, int64[3] t = {2,3,2}, "
                               "float[2] dead = {1,2},\n"
                               " float[2,6] p, float[4,3] u, float[6] w, float[2,1,2] k>\n"
                               "{ s = Concat <axis = 0> (b, f) p = Reshape (x, s) q = Reshape (p, t) y = Concat <axis "
                               "= 1> (c, q) z = Neg (n) }"),
                 *made = adapt(m, false);
    const Onnx__GraphProto *g = made->proto->graph;

    expect_finding("the batch is fixed to 2",
                   "Reshape 'p' has [2,6]; Reshape 'q' has [2,3,2]; Concat 'y' has 'c' for 2 samples",
                   "freed: 3 constants, 4 declared shapes");
    ck_assert_int_eq(told.findings.at->certainty, CERTAIN);
    ck_assert_ptr_nonnull(graph_find(made->graph, "c")->initializer);
    ck_assert_int_eq(graph_find(made->graph, "c")->initializer->dims[0], 1);
    ck_assert_ptr_nonnull(graph_find(made->graph, "dead"));
    ck_assert_ptr_null(graph_find(made->graph, "s"));
    ck_assert_ptr_null(graph_find(made->graph, "b"));
    ck_assert_ptr_null(graph_find(made->graph, "t"));
    for (size_t k = 0; k < 2; k++) {
        ck_assert_str_eq(symbol_of(g->input[k], 0), "N1"); /* N is in use */
        ck_assert_str_eq(symbol_of(g->output[k], 0), "N1");
    }
    ck_assert_str_eq(symbol_of(g->input[1], 1), "N");
    for (size_t k = 0; k < g->n_value_info; k++)
        if (strcmp(g->value_info[k]->name, "p") == 0)
            ck_assert_str_eq(symbol_of(g->value_info[k], 0), "N1");
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

static char *string_of(struct model *m, const char *text)
{
    return message_string(text, strlen(text), &m->budget, &report);
}

/* PyTorch has computed it of a parameter of one sample: a token, though it is 0 as long as nothing was learned. */
START_TEST(a_token_gets_its_name_back)
{
    static const char *const texts[] = {
        "g (float[2,3,2] x) => (float[2,4,2] y) <float[2,1,2] expand = {0,0,0,0}, float[2,2] w = {1,2,3,4}, float[4,1] "
        "k>\n"
        "{ h = MatMul (x, w) y = Concat <axis = 1> (expand, h) }",
        "g (float[1,3,2] x) => (float[1,4,2] y) <float[1,1,2] expand = {0,0}, float[2,2] w = {1,2,3,4}, float[4,1] k>\n"
        "{ h = MatMul (x, w) y = Concat <axis = 1> (expand, h) }",
        /* it is found to train where it keeps the name that it has, too: any batch passes, or the file's stays */
        "g (float[N,3,2] x) => (float[N,4,2] y) <float[1,1,2] expand = {0,0}, float[2,2] w = {1,2,3,4}, int64[1] i = "
        "{0},\nint64[1] n = {1}, int64[2] o = {1,1}, float[4,1] k>\n"
        "{ h = MatMul (x, w) s = Shape (x) b = Slice (s, i, n) r = Concat <axis = 0> (b, o) e = Tile (expand, r)\n"
        "  y = Concat <axis = 1> (e, h) }",
        "g (float[1,3,2] x) => (float[1,4,2] y) <float[1,1,2] expand = {0,0}, float[2,2] w = {1,2,3,4}, float[4,1] k>\n"
        "{ h = MatMul (x, w) y = Concat <axis = 1> (expand, h) }",
    };
    const bool keep = _i / 2 == 3, renamed = _i < 4 && _i % 2 == 0;
    struct parameters p;
    struct model *m, *made;
    Onnx__ValueInfoProto *v;

    m = model_of(8, 13, texts[_i / 2]);
    v = m->proto->graph->value_info[0];
    budget_free(&m->budget, v->name);
    v->name = string_of(m, "expand");
    v->metadata_props = budget_alloc(&m->budget, 2 * sizeof *v->metadata_props, &report);
    for (; v->n_metadata_props < 2; v->n_metadata_props++) /* the first has no key: a message may leave it out */
        v->metadata_props[v->n_metadata_props] =
            message_new(&onnx__string_string_entry_proto__descriptor, &m->budget, &report);
    v->metadata_props[0]->value = string_of(m, "['other']");
    v->metadata_props[1]->key = string_of(m, "pkg.onnxscript.optimizer.folded_from");
    v->metadata_props[1]->value = string_of(m, _i % 2   ? "['val_5"
                                               : _i < 4 ? "['cls_token', 'val_6']"
                                                        : "['h', 'val_6', 'x_token']");
    made = adapt(m, keep);
    ck_assert((made != NULL) == (_i < 4));
    expect_ok(parameters_find(&p, made ? made : m, NULL, &arena, &report));
    for (size_t k = 0; k < p.count; k++)
        if (p.at[k].value->name[0] != 'w') {
            ck_assert_str_eq(p.at[k].value->name, renamed ? "cls_token" : "expand");
            ck_assert_int_eq(p.at[k].role, _i % 2 ? ROLE_CONSTANT : ROLE_TRAINABLE);
        }
    ck_assert_uint_eq(p.count, 2);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* Graphs within, and what they declare, which is not told any more. */
START_TEST(shapes_within_are_not_told)
{
    struct model *m = model_of(8, 13,
                               "g (float[4,3,1] x) => (float[4,3] y) <int64 one = {1}, int64 three = {3}, int64 n = "
                               "{2}, int64[2] s = {4,3}>\n"
                               "{ h = Shape (x) j = Gather (h, one) c = Equal (j, three) r = Reshape (x, s) k = Loop "
                               "<body = l (int64 i, bool d, float[4,3] p) => (bool e, "
                               "float[4,3] q) { e = Identity (d) q = Tanh (p) }> (n, c, r)\n"
                               "  y = If <then_branch = t () => (float[4,3] a) { a = Relu (k) }, else_branch = f () => "
                               "(float[4,3] b) { b = Neg (k) }> (c) }"),
                 *made = adapt(m, false);
    const Onnx__GraphProto *g = made->proto->graph, *body = g->node[4]->attribute[0]->g,
                           *branch = g->node[5]->attribute[0]->g;

    expect_finding("the batch is fixed to 4", "Reshape 'r' has [4,3]", "freed: 1 constant, 2 declared shapes");
    ck_assert_ptr_null(body->input[2]->type->tensor_type->shape);
    ck_assert_ptr_null(body->output[1]->type->tensor_type->shape);
    ck_assert_ptr_null(branch->output[0]->type->tensor_type->shape);
    expect_same(m, 4, made, 3, 1);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* A 1 of several is likely to be the batch, and no more. */
START_TEST(what_could_be_another_is_likely)
{
    struct model *m = model_of(8, 13,
                               "g (float[1,2] x) => (float[1,1,2] y) <int64[3] s = {1,1,2}> { y = Reshape (x, s) }"),
                 *made = adapt(m, false);

    expect_finding("the batch is fixed to 1", "Reshape 'y' has [1,1,2]", "freed: 1 constant");
    ck_assert_int_eq(told.findings.at->certainty, LIKELY);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* -- what is drawn for each sample -- */

/* Of a first input of n samples. */
static struct tensor type_for(const struct model *m, const struct value *v, int64_t n)
{
    const struct plan_context c = { .kernels = kernels_get(), .threads = 1, .budget = &budget, .report = &report };
    const struct value *x = m->graph->inputs[0];
    struct tensor *types = given_types(m->graph, &arena, &report), found;
    struct program *p;

    expect_ok(types);
    types[x->id] = x->type;
    types[x->id].dims[0] = n;
    p = plan_types(m->graph, types, NULL, &c);
    expect_ok(p);
    found = p->types[v->id];
    program_free(p);
    return found;
}

#define DROP(B, noise)                                                                                                 \
    "g (float[" B ",3,2] x) => (float[" B ",3,2] y) <float q = {0.25}, float one = {1}>\n"                             \
    "{ a = Relu (x) " noise " d = Dropout (k, q) y = Mul (a, d) }"
#define EXPANDED(made) made " h = Shape (l) k = Expand (one, h)"

static const struct {
    int64_t size, rows; /* 0: one for each sample */
    const char *text, *evidence, *done;
    enum certainty certainty;
} drawn[] = {
    /* Dropout2d, StochasticDepth, Dropout1d, as inference/ leaves them */
    { 2, 0, DROP("2", EXPANDED("c = Constant <value = int64[3] {2,1,1}> () l = ConstantOfShape (c)")),
      "Expand 'k' has [2,1,1]", "freed: 1 constant", CERTAIN },
    { 2, 0, DROP("2", EXPANDED("c = Constant <value = int64[3] {2,3,1}> () l = Expand (one, c)")),
      "Expand 'k' has [2,3,1]", "freed: 1 constant", CERTAIN },
    { 2, 0, DROP("2", EXPANDED("l = Constant <value = float[2,1,1] {0,0}> ()")), "Expand 'k' has [2,1,1]",
      "freed: 1 constant", CERTAIN },
    { 1, 0, DROP("1", EXPANDED("c = Constant <value = int64[3] {1,3,1}> () l = ConstantOfShape (c)")),
      "Expand 'k' has [1,3,1]", "freed: 1 constant", LIKELY },
    { 1, 0, DROP("1", EXPANDED("c = Constant <value = int64[3] {1,1,1}> () l = ConstantOfShape (c)")),
      "Expand 'k' has [1,1,1]", "freed: 1 constant", LIKELY },
    /* made in other ways */
    { 2, 0, DROP("2", "k = Constant <value = float[2,1,1] {1,1}> ()"), "Dropout 'd' has 'k' for 2 samples",
      "freed: 1 constant", CERTAIN },
    { 1, 0, DROP("1", "k = Constant <value = float[1,3,1] {1,1,1}> ()"), "Dropout 'd' has 'k' for 1 sample",
      "freed: 1 constant", LIKELY },
    { 2, 0,
      DROP("2", "c = Constant <value = int64[3] {2,1,1}> () t = Constant <value = float[1,3,1] {1,1,1}> () "
                "k = Tile (t, c)"),
      "Tile 'k' has [2,1,1]", "freed: 1 constant", CERTAIN },
    { 2, 0,
      DROP("2", "c = Constant <value = int64[3] {2,1,1}> () i = ConstantOfShape <value = float[1] {1}> (c) k = "
                "Dropout (i, q)"),
      "ConstantOfShape 'i' has [2,1,1]", "freed: 1 constant", CERTAIN },
    /* drawn once for all samples */
    { 2, 1, DROP("2", EXPANDED("c = Constant <value = int64[3] {1,1,1}> () l = ConstantOfShape (c)")), "float[2,3,2]",
      "freed: 0 constants", CERTAIN },
    { 1, 3, DROP("1", EXPANDED("c = Constant <value = int64[2] {3,1}> () l = ConstantOfShape (c)")), "float[1,3,2]",
      "freed: 0 constants", CERTAIN },
};

START_TEST(each_sample_draws_for_itself)
{
    struct model *m = model_of(8, 13, drawn[_i].text), *made = adapt(m, false);
    const struct node *n = NULL;

    expect_finding("the batch is", drawn[_i].evidence, drawn[_i].done);
    ck_assert_int_eq(told.findings.at->certainty, drawn[_i].certainty);
    for (size_t k = 0; k < made->graph->node_count; k++)
        n = node_is(made->graph->nodes[k], &op_dropout) ? made->graph->nodes[k] : n;
    for (int64_t samples = 1; samples < 6; samples++) {
        const struct tensor is = type_for(made, n->in[0], samples);

        ck_assert_int_eq(is.dims[0], drawn[_i].rows ? drawn[_i].rows : samples);
    }
    expect_same(m, drawn[_i].size, made, 3, 1);
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* A batch that is left open says nothing of numbers that are drawn once. */
START_TEST(what_is_drawn_once_for_any_batch_stays)
{
    struct model *m = model_of(
        8, 13, "g (float[N,3,2] x) => (float[N,3,2] y) <float[1,1,1] k = {1}> { d = Dropout (k) y = Mul (x, d) }");

    ck_assert_ptr_null(adapt(m, false));
    ck_assert_uint_eq(told.findings.count, 0);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* -- over data -- */

static struct model *adapt_over(const struct model *m, int64_t samples)
{
    static float x[60];
    static int64_t labels[10];
    struct two_columns columns;
    struct tensor values, targets;
    struct dataset d;
    struct adapt_options o = { 0 };

    for (int k = 0; k < 60; k++)
        x[k] = (float)(k * k % 17) - 8;
    ck_assert(tensor_shape(&values, F32, 2, (const int64_t[]){ samples, 6 }));
    ck_assert(tensor_shape(&targets, I64, 1, (const int64_t[]){ samples }));
    values.data = x;
    targets.data = labels;
    d = dataset_of(&columns, &values, &targets, 0, &budget);
    o.threads = 1;
    o.data = &d;
    return adapt_with(m, &o);
}

/* Where only negative values are told apart, nothing that is drawn shows that samples are mixed. */
static const char mixing[] = "g (float[4,6] x) => (float[4,6] y)\n"
                             "{ n = Neg (x) r = Relu (n) m = ReduceMean <axes = [0]> (r) y = Add (x, m) }";

START_TEST(the_callers_samples_are_taken)
{
    struct model *m = model_of(8, 13, mixing), *made = adapt(m, false);

    expect_finding("the batch is declared as 4", "", "freed");
    model_free(made);
    ck_assert_ptr_null(adapt_over(m, 10));
    expect_ok(true);
    expect_finding("the batch is fixed to 4", "", "stays: one batch of 3 samples is not what");
    model_free(m);
    m = model_of(8, 13,
                 "g (float[4,6] x) => (float[4,3] y) <int64[2] s = {8,3}, int64[3] t = {4,2,3}> { a = Reshape (x, s) b "
                 "= Reshape (a, t) y = ReduceMean <axes = [1], keepdims = 0> (b) }");
    made = adapt_over(m, 10); /* the last two are no batch of the file's */
    expect_ok(made);
    ck_assert(told.measured);
    ck_assert_int_eq(told.outputs.floats, 2 * 4 * 3);
    ck_assert_ptr_nonnull(strstr(told.findings.at->done, "freed: 2 constants"));
    model_free(made);
    model_free(m);
    arena_release(&arena);
}
END_TEST

/* -- too little memory is no property of the model -- */

START_TEST(memory_that_runs_out_is_an_error)
{
    struct model *m = model_of(8, 13, ATTENTION("4", "4"));
    int refused = 0;

    for (size_t limit = 1000; limit < 4000000; limit += limit / 16) {
        struct adapt_options o = { 0 };
        struct model *made;

        o.threads = 1;
        o.limits.limit = limit;
        made = model_adapt(m, &o, &told, &arena, &report);
        if (made) {
            ck_assert_ptr_nonnull(strstr(told.findings.at->done, "freed"));
            model_free(made);
        } else {
            ck_assert(failed(&report) && report.error.code == KILN_LIMIT);
            report = (struct report){ 0 };
            refused++;
        }
        arena_release(&arena);
    }
    ck_assert_int_gt(refused, 10);
    ck_assert_uint_eq(budget.used, 0);
    model_free(m);
}
END_TEST

/* -- what stays -- */

static const struct {
    const char *text, *done;
} kept[] = {
    /* something for each place of the batch */
    { "g (float[2,3] x) => (float[2,3] y) <float[2,3] h = {1,2,3,4,5,6}> { y = Add (x, h) }",
      "stays: main/node[0] '' Add-14: 'h' has other values for each of its 2 samples; train, eval and calibrate take "
      "batches of 2" },
    { "g (float[2,3,2] x) => (float[2,4,2] y) <float[2,1,2] c = {5,6,7,8}> { y = Concat <axis = 1> (c, x) }",
      "stays: main/node[0] '' Concat-13: 'c' has other values for each of its 2 samples; train" },
    { "g (float[2,3,2] x) => (float[1,2,1] b) <float[1,3,2] w = {0.1,0.2,0.3,0.4,0.5,0.6}, float[1,3,1] r = "
      "{0.1,0.2,0.3}, "
      "float[1,2,1] h = {1,2}>\n"
      "{ t = Transpose <perm = [1,0,2]> (x) a, b = GRU <hidden_size = 1> (t, w, r, , , h) }",
      "'h' has other values for each of its 2 samples; train" },
    /* samples are mixed */
    { "g (float[4,3] x) => (float[4,3] y) { y = Softmax <axis = 0> (x) }",
      "stays: one batch of 3 samples is not what 3 runs of 4 make of them: output 'y' differs by " },
    { "g (float[1,3] x) => (float[1,3] y) { y = Softmax <axis = 0> (x) }",
      "stays: one batch of 3 samples is not what 3 runs of 1 make of them: output 'y' differs by " },
    { "g (float[4,3] x) => (float[4,3] y) { m = ReduceMean <axes = [0]> (x) y = Sub (x, m) }",
      "stays: one batch of 3 samples is not what" },
    { "g (float[4,3] x) => (float y) { y = ReduceMean <keepdims = 0> (x) }",
      "stays: one batch of 3 samples is not what" },
    { "g (float[1,3] x) => (float[1,3] y) { y = ReduceMean <axes = [0]> (x) }",
      "stays: main/node[0] '' ReduceMean-13: output 'y' has no other size; train" },
    /* the node at which samples are lost, of those on the way */
    { "g (float[2,3] x) => (float[2,3] y, float[2,3] z) <int64[2] i = {1,0}> { r = Relu (x) p = Gather (r, i) q = Neg "
      "(p) "
      "y = Sin (q) z = Neg (r) }",
      "stays: main/node[1] '' Gather-13: output 'y' has no other size; train" },
    { "g (float[2,3] x) => (float[2,3] y) <int64[6,1] i = {0,1,2,3,5,4}, int64[1] s = {-1}, int64[2] t = {2,3}> { r = "
      "Reshape (x, s) p = Gather (r, i) q = Squeeze (p) y = Reshape (q, t) }",
      "stays: main/node[1] '' Gather-13: output 'y' has no other size; train" },
    { "g (float[4,3] x) => (float[4,3] y) <float[3] s = {1,1,1}, float[3] b = {0,0,0}> { y, m, v = BatchNormalization "
      "<training_mode = 1> (x, s, b, b, s) }",
      "stays: one batch of 3 samples is not what" },
    /* drawn */
    { "g (float[2,3] x) => (float[2,3] y) { r = RandomUniformLike (x) y = Add (x, r) }",
      "stays: main/node[0] '' RandomUniformLike-1: it draws random numbers" },
    /* a choice of samples; a shape that fits no other */
    { "g (float[4,3] x) => (float[2,3] y) <int64[1] s = {0}, int64[1] e = {2}> { y = Slice (x, s, e) }", "stays: " },
    { "g (float[2,3] x) => (float[2,1] y) <int64[2] s = {3,2}, float[3,1] w = {1,2,3}, int64[2] u = {2,3}> { a = "
      "Reshape (x, s) b = Reshape (a, u) y = MatMul (b, w) }",
      "stays: main/node[0] '' Reshape" },
    { "g (float[1,3] x) => (float[3] y) <int64[1] a = {0}> { y = Squeeze (x, a) }",
      "stays: main/node[0] '' Squeeze-13: " },
    /* a branch that takes no other */
    { "g (float[4,3,1] x) => (float[4,3] y) <int64 one = {1}, int64 three = {3}, int64[2] s = {4,3}>\n"
      "{ h = Shape (x) n = Gather (h, one) c = Equal (n, three) y = If (c) <then_branch = t () => (float[4,3] a) { a = "
      "Reshape (x, s) }, else_branch = e () => (float[4,3] b) "
      "{ b = Reshape (x, s) }> }",
      "stays: " },
};

START_TEST(a_file_stays)
{
    struct model *m =
        model_of(8, 13 + 2 * (strstr(kept[_i].text, "BatchN") || strstr(kept[_i].text, "Add (x, h)")), kept[_i].text);

    ck_assert_ptr_null(adapt(m, false)); /* nothing was changed */
    expect_finding("the batch is", "", kept[_i].done);
    model_free(m);
    arena_release(&arena);
}
END_TEST

static const struct {
    const char *text, *found, *done;
} asked[] = {
    { "g (float[2,3,2] x) => (float[2,6] y) <int64[2] s = {2,6}> { y = Reshape (x, s) }", "the batch is fixed to 2",
      "stays, as was asked for; train, eval and calibrate take batches of 2" },
    { "g (float[2,3] x) => (float[2,3] y) { y = Relu (x) }", "the batch is declared as 2", "stays, as was asked for" },
    { "g (float[2,3] x) => (float[2,3] y) <float[2,3] h = {1,2,3,4,5,6}> { y = Add (x, h) }", "the batch is fixed to 2",
      "stays, as was asked for; train, eval and calibrate take batches of 2" },
    /* it mixes the samples, of any number */
    { "g (float[1,4] x) => (float[1,4] y) <int64[2] s = {1,-1}, int64[2] t = {-1,4}>\n"
      "{ r = Reshape (x, s) p = Softmax (r) y = Reshape (p, t) }",
      "the batch is fixed to 1",
      "stays, as was asked for; train, eval and calibrate take any batch all the same: the network passes it, as one "
      "whole" },
};

START_TEST(it_stays_where_that_is_asked_for)
{
    struct model *m = model_of(8, 13, asked[_i].text);

    ck_assert_ptr_null(adapt(m, true));
    expect_finding(asked[_i].found, "", asked[_i].done);
    ck_assert_str_eq(told.findings.at->name, "x");
    model_free(m);
    arena_release(&arena);
}
END_TEST

static const char *const nothing[] = {
    "g (float[N,3] x) => (float[N,1] y) <float[3,1] w = {1,2,3}> { y = MatMul (x, w) }",
    "g (float[N,3,1] x) => (float[N,3] y) <int64[2] s = {-1,3}> { y = Reshape (x, s) }",
    "g (float[2,3] x) => (float[2,2] y) <int64[2] s = {2,2}> { y = Reshape (x, s) }", /* fits no batch at all */
    "g (float[N,3] x) => (float[N,3] y) { r = RandomUniformLike (x) y = Add (x, r) }",
};

/* The step alone, of a file that stays. */
static void expect_left(struct model *m)
{
    struct adapt_options o = { 0 };
    struct adapt a = { .options = &o, .model = m, .reference = m, .out = &told, .arena = &arena, .report = &report };

    told = (struct adapted){ .findings.arena = &arena };
    expect_ok(adapt_batch(&a));
    ck_assert_ptr_eq(a.model, m);
    model_free(m);
}

START_TEST(nothing_is_told_where_any_batch_passes)
{
    expect_left(model_of(8, 13, nothing[_i]));
    ck_assert_uint_eq(told.findings.count, 0);
    arena_release(&arena);
}
END_TEST

/* Though it leaves the batch open. */
START_TEST(what_draws_may_be_fixed_all_the_same)
{
    expect_left(model_of(8, 13,
                         "g (float[N,3,1] x) => (float[N,3] y) <int64[2] s = {2,3}> { r = "
                         "RandomUniformLike (x) a = Add (x, r) b = Reshape (a, s) y = Relu (b) }"));
    expect_finding("the batch is fixed to 2", "Reshape 'b' has [2,3]",
                   "stays: main/node[0] '' RandomUniformLike-1: it draws random numbers; train");
    arena_release(&arena);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("adapt_batch");

    add_tests(s, a_file_is_freed, sizeof freed / sizeof *freed);
    add_test(s, an_old_file_is_freed);
    add_test(s, a_file_says_no_more_and_no_less);
    add_tests(s, a_token_gets_its_name_back, 8);
    add_test(s, shapes_within_are_not_told);
    add_test(s, what_could_be_another_is_likely);
    add_tests(s, each_sample_draws_for_itself, sizeof drawn / sizeof *drawn);
    add_test(s, what_is_drawn_once_for_any_batch_stays);
    add_test(s, the_callers_samples_are_taken);
    add_test(s, memory_that_runs_out_is_an_error);
    add_tests(s, a_file_stays, sizeof kept / sizeof *kept);
    add_tests(s, it_stays_where_that_is_asked_for, sizeof asked / sizeof *asked);
    add_tests(s, nothing_is_told_where_any_batch_passes, sizeof nothing / sizeof *nothing);
    add_test(s, what_draws_may_be_fixed_all_the_same);
    return s;
}
