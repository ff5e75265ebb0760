/* Windows whose pads auto_pad tells: what a node computes with them is what it computes with the pads written out. */
#include "fixture.h"
#include "numbers.h"
#include <stdio.h>

static const struct window_case {
    const char *op, *attrs; /* those of both */
    const char *x, *w;      /* shapes; w NULL: there is no weight */
    const char *upper, *lower;
} windows[] = {
    { "Conv", "strides = [1, 1]", "1, 2, 5, 6", "3, 2, 2, 4", "0, 1, 1, 2", "1, 2, 0, 1" },
    { "Conv", "strides = [2, 3]", "1, 2, 5, 6", "3, 2, 2, 4", "0, 0, 1, 1", "1, 1, 0, 0" },
    { "Conv", "dilations = [2, 1]", "1, 2, 5, 6", "3, 2, 2, 4", "1, 1, 1, 2", "1, 2, 1, 1" },
    { "Conv", "strides = [2, 2]", "2, 3, 8, 8", "20, 3, 3, 3", "0, 0, 1, 1", "1, 1, 0, 0" },
    { "Conv", "strides = [2, 2], group = 8", "1, 8, 8, 8", "8, 1, 3, 3", "0, 0, 1, 1", "1, 1, 0, 0" },
    { "Conv", "group = 2", "1, 4, 7", "4, 2, 4", "1, 2", "2, 1" },
    { "Conv", "strides = [1, 2, 1]", "1, 1, 3, 4, 5", "2, 1, 2, 3, 4", "0, 0, 1, 1, 1, 2", "1, 1, 2, 0, 0, 1" },
    { "ConvTranspose", "strides = [2, 2]", "1, 2, 3, 3", "2, 2, 3, 3", "0, 0, 1, 1", "1, 1, 0, 0" },
    { "ConvTranspose", "strides = [1, 2]", "1, 2, 3, 4", "2, 3, 2, 5", "0, 1, 1, 2", "1, 2, 0, 1" },
    { "ConvTranspose", "strides = [2]", "1, 4, 5", "4, 1, 5", "1, 2", "2, 1" },
    { "MaxPool", "kernel_shape = [2, 2]", "1, 2, 5, 6", NULL, "0, 0, 1, 1", "1, 1, 0, 0" },
    { "MaxPool", "kernel_shape = [3, 4], strides = [2, 1]", "1, 2, 6, 6", NULL, "0, 1, 1, 2", "1, 2, 0, 1" },
    { "MaxPool", "kernel_shape = [2], dilations = [3]", "1, 2, 9", NULL, "1, 2", "2, 1" },
    { "AveragePool", "kernel_shape = [2, 2]", "1, 2, 5, 6", NULL, "0, 0, 1, 1", "1, 1, 0, 0" },
    { "AveragePool", "kernel_shape = [4, 2], count_include_pad = 1", "1, 2, 5, 6", NULL, "1, 0, 2, 1", "2, 1, 1, 0" },
    { "AveragePool", "kernel_shape = [3], strides = [2]", "1, 2, 8", NULL, "0, 1", "1, 0" },
};

enum { WINDOWS = sizeof windows / sizeof *windows };

static int64_t *dims_of(const char *text, int *rank)
{
    static int64_t dims[MAX_RANK];

    *rank = 0;
    for (const char *s = text; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
        dims[(*rank)++] = strtoll(s, NULL, 10);
    return dims;
}

static float *set_random(struct fixture *f, const char *name, const char *shape)
{
    int rank;
    const int64_t *dims = dims_of(shape, &rank);
    float *data = random_array(F32, dims_product(dims, 0, rank));

    set(f, name, F32, rank, dims, data);
    return data;
}

/* The outputs: SAME_UPPER, SAME_LOWER, then the same with pads. */
static void run_window(struct fixture *f, const struct window_case *c)
{
    const char *in = c->w ? "(x, w)" : "(x)";
    float *x, *w = NULL;
    char text[1024];

    snprintf(text, sizeof text,
             "<ir_version: 8, opset_import: [\"\": 18]>\n"
             "g (float[%s] x%s%s%s) => (u, l, pu, pl) { u = %s <%s, auto_pad = \"SAME_UPPER\"> %s"
             " l = %s <%s, auto_pad = \"SAME_LOWER\"> %s pu = %s <%s, pads = [%s]> %s pl = %s <%s, pads = [%s]> %s }",
             c->x, c->w ? ", float[" : "", c->w ? c->w : "", c->w ? "] w" : "", c->op, c->attrs, in, c->op, c->attrs,
             in, c->op, c->attrs, c->upper, in, c->op, c->attrs, c->lower, in);
    begin(f, text);
    x = set_random(f, "x", c->x);
    if (c->w)
        w = set_random(f, "w", c->w);
    run_ok(f);
    free(x);
    free(w);
}

START_TEST(same_is_what_its_pads_are)
{
    const struct window_case *c = &windows[_i];
    struct fixture f;
    const struct tensor *out[4];
    int64_t n;

    run_window(&f, c);
    for (int k = 0; k < 4; k++)
        out[k] = session_output(f.session, (size_t)k);
    n = tensor_count(out[0]);
    for (int k = 0; k < 2; k++) {
        const float *got = out[k]->data, *wanted = out[2 + k]->data;

        ck_assert_msg(same_shape(out[k], out[2 + k]), "%s <%s>: shape", c->op, c->attrs);
        for (int64_t i = 0; i < n; i++)
            ck_assert_msg(fabsf(got[i] - wanted[i]) <= 1e-5f, "%s <%s>, %s: [%lld] is %g, must be %g", c->op, c->attrs,
                          k ? "SAME_LOWER" : "SAME_UPPER", (long long)i, (double)got[i], (double)wanted[i]);
    }
    ck_assert_msg(memcmp(out[0]->data, out[1]->data, (size_t)n * sizeof(float)) != 0, "no difference can be seen");
    end(&f);
}
END_TEST

/* Sizes that are asked for: the odd one goes to the beginning, as with SAME_LOWER. */
START_TEST(a_size_of_the_output_tells_pads)
{
    struct fixture f;

    begin(&f, "<ir_version: 8, opset_import: [\"\": 18]>\n"
              "g (float[1, 1, 3] x) => (a, b, c) <float[1, 1, 3] w = {1, 2, 4}> {"
              " a = ConvTranspose <strides = [2], output_shape = [6]> (x, w)"
              " b = ConvTranspose <strides = [2], pads = [1, 0]> (x, w)"
              " c = ConvTranspose <strides = [2], output_shape = [6], auto_pad = \"SAME_UPPER\"> (x, w) }");
    set(&f, "x", F32, 3, (const int64_t[]){ 1, 1, 3 }, (float[]){ 1, 10, 100 });
    run_ok(&f);
    ck_assert_mem_eq(floats(&f, 0, 6), floats(&f, 1, 6), 6 * sizeof(float));
    ck_assert_mem_eq(floats(&f, 0, 6), ((const float[]){ 2, 14, 20, 140, 200, 400 }), 6 * sizeof(float));
    ck_assert_mem_eq(floats(&f, 2, 6), ((const float[]){ 1, 2, 14, 20, 140, 200 }), 6 * sizeof(float));
    end(&f);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("window");

    add_tests(s, same_is_what_its_pads_are, WINDOWS);
    add_test(s, a_size_of_the_output_tells_pads);
    return s;
}
