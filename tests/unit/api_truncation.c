/* Backpropagation through time, truncated: against graphs that are cut by hand, where a state goes on as a number of which
 * there is no gradient. With nothing but kiln.h. */
#include "public.h"
#include <math.h>
#include <stdio.h>

enum { SAMPLES = 2, STEPS = 5, WIDTH = 3, UNITS = 2, MOST = 512, TEXT = 1 << 15 };

/* v, of which no gradient goes back: integers have none. */
#define STOP                                                                                                           \
    "<domain: \"f\", opset_import: [\"\": 17]>\n"                                                                      \
    "Stop (V) => (U) { a = Constant <value_float = 1099511627776.0> () b = Constant <value_float = 9.094947e-13> () "  \
    "m = Mul (V, a) i = Cast <to = 7> (m) f = Cast <to = 1> (i) U = Mul (f, b) }\n"

/* Values of no pattern, the same each time. */
static float drawn(int k)
{
    return (float)(sin(1.7 * k + .3) * .7);
}

static void put_numbers(char *text, const char *type, int count, int from)
{
    size_t n = strlen(text);

    n += (size_t)sprintf(text + n, "%s = {", type);
    for (int k = 0; k < count; k++)
        n += (size_t)sprintf(text + n, "%s%.6f", k ? ", " : "", (double)drawn(from + k));
    strcpy(text + n, "}");
}

/* What a step gives parameters, by name. */
struct learned {
    int64_t count;
    float of[MOST];
};

static const char *const names[] = { "P", "V", "W", "R", "B" };
enum { NAMES = sizeof names / sizeof *names };

static void learn(struct learned *to, const char *text, int64_t bptt)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    float x[SAMPLES * STEPS * WIDTH], y[MOST];
    kiln_tensor *in, *labels, *got;
    const kiln_value_info *out;
    int64_t dims[4], count = 1;
    kiln_trainer *t;

    o.loss = "mean_squared_error";
    o.values = true;
    o.keep_gradients = true;
    o.bptt = bptt;
    ok(kiln_trainer_new(&t, m, &o, &err));
    out = kiln_trainer_labels(t, 0);
    for (int d = 0; d < out->rank; d++)
        count *= dims[d] = d ? out->dims[d] : SAMPLES;
    for (int k = 0; k < SAMPLES * STEPS * WIDTH; k++)
        x[k] = 2 * drawn(3 * k);
    for (int64_t k = 0; k < count; k++)
        y[k] = drawn((int)k + 5);
    labels = floats(out->rank, dims, y);
    in = floats(3, (const int64_t[]){ SAMPLES, STEPS, WIDTH }, x);
    ok(kiln_trainer_step(t, in, labels, NULL, &err));
    to->count = 0;
    for (int k = 0; k < NAMES; k++) {
        ok(kiln_trainer_get(&got, t, names[k], "gradient", &err));
        ck_assert_int_le(to->count + kiln_tensor_count(got), MOST);
        memcpy(to->of + to->count, kiln_tensor_data(got), (size_t)kiln_tensor_count(got) * sizeof *to->of);
        to->count += kiln_tensor_count(got);
        kiln_tensor_free(got);
    }
    kiln_tensor_free(in);
    kiln_tensor_free(labels);
    kiln_trainer_free(t);
    kiln_model_free(m);
}

static void note(void *user, kiln_status code, const char *where, const char *message)
{
    (void)code;
    (void)where;
    snprintf(user, 200, "%s", message);
}

static double difference(const struct learned *a, const struct learned *b)
{
    double most = 0;

    ck_assert_int_eq(a->count, b->count);
    for (int64_t k = 0; k < a->count; k++)
        most = fmax(most, fabs((double)a->of[k] - (double)b->of[k]));
    return most;
}

/* `whole` in stretches of `bptt` steps learns as `cut` does, and not as it would without. */
static void expect_as_cut(const char *whole, const char *cut, int64_t bptt)
{
    struct learned truncated, by_hand, all;

    learn(&truncated, whole, bptt);
    learn(&by_hand, cut, 0);
    learn(&all, whole, 0);
    ck_assert_msg(difference(&truncated, &by_hand) < 2e-6, "bptt %lld: differs by %g\n%s\n%s", (long long)bptt,
                  difference(&truncated, &by_hand), whole, cut);
    ck_assert_msg(difference(&truncated, &all) > 1e-4, "bptt %lld: as if there were none\n%s", (long long)bptt, whole);
}

/* -- recurrent operators -- */

static const struct cell {
    const char *op, *attrs;
    int gates;
} cells[] = {
    { "RNN", "", 1 },
    { "RNN", ", direction = \"reverse\"", 1 },
    { "GRU", "", 3 },
    { "GRU", ", linear_before_reset = 1", 3 },
    { "GRU", ", direction = \"reverse\"", 3 },
    { "LSTM", "", 4 },
    { "LSTM", ", direction = \"reverse\"", 4 },
};

/* x is projected, the initial state is made of its first step, the output holds all steps and the last state. */
static void write_head(char *text, const struct cell *c, int directions)
{
    char type[80];

    strcpy(text,
           "<ir_version: 8, opset_import: [\"\": 17, \"f\": 1]>\n"
           "g (float[2,5,3] x) => (float[2,M] y) <int64[1] front = {0}, int64 first = {0}, int64[2] flat = {0, -1}, ");
    put_numbers(text, "float[3,3] P", 9, 11);
    strcat(text, ", ");
    put_numbers(text, "float[3,2] V", 6, 23);
    sprintf(type, ", float[%d,%d,3] W", directions, c->gates * UNITS);
    put_numbers(text, type, directions * c->gates * UNITS * 3, 31);
    sprintf(type, ", float[%d,%d,2] R", directions, c->gates * UNITS);
    put_numbers(text, type, directions * c->gates * UNITS * 2, 43);
    sprintf(type, ", float[%d,%d] B", directions, 2 * c->gates * UNITS);
    put_numbers(text, type, directions * 2 * c->gates * UNITS, 57);
    strcat(text, ", int64[3] from_front = {2, 2, 1}, int64[3] from_end = {1, 2, 2}, int32[2] uneven = {4, 3}, "
                 "int32[2] three = {3, 3}, int32[2] two = {2, 2}, int32[2] some = {2, 1}, int32[2] one = {1, 1}, "
                 "float[1,1,2,2] one_zero = {0, 0, 0, 0}, float[2,1,2,2] two_zeros = {0, 0, 0, 0, 0, 0, 0, 0}> {\n"
                 "p = MatMul (x, P) t = Transpose <perm = [1, 0, 2]> (p) x0 = Gather <axis = 1> (x, first)\n"
                 "v = MatMul (x0, V) h = Unsqueeze (v, front)\n");
}

static void write_end(char *text)
{
    strcat(text, "yt = Transpose <perm = [2, 0, 1, 3]> (Y) lt = Transpose <perm = [1, 0, 2]> (L)\n"
                 "yf = Reshape (yt, flat) lf = Reshape (lt, flat) y = Concat <axis = 1> (yf, lf)\n}\n" STOP);
}

/* "Y, L = LSTM (t, W, R, B, , h, h)": its initial cell state is h, too. */
static void write_cell(char *text, const struct cell *c, const char *out, const char *x, const char *lengths,
                       const char *state)
{
    sprintf(text + strlen(text), "%s = %s <hidden_size = 2%s> (%s, W, R, B, %s, %s)\n", out, c->op, c->attrs, x,
            lengths, state);
}

static char whole[TEXT], cut[TEXT];

static void write_whole(const struct cell *c, const char *lengths)
{
    write_head(whole, c, 1);
    write_cell(whole, c, "Y, L", "t", lengths, c->gates == 4 ? "h, h" : "h");
    write_end(whole);
}

/* Stretches, as parts of the sequence in the order in which they are run, and the lengths that their sequences have there. */
struct stretches {
    const char *split;
    int count, part[3];
    const char *lengths[3], *y;
};

static void write_cut(const struct cell *c, const struct stretches *s)
{
    const bool lstm = c->gates == 4;
    char state[40], out[40], x[8];

    strcpy(state, lstm ? "h, h" : "h");
    write_head(cut, c, 1);
    sprintf(cut + strlen(cut), "t0, t1, t2 = Split <axis = 0> (t, %s)\n", s->split);
    for (int k = 0; k < s->count; k++) {
        sprintf(out, lstm ? "Y%d, l%d, c%d" : "Y%d, l%d", s->part[k], k, k);
        sprintf(x, "t%d", s->part[k]);
        write_cell(cut, c, out, x, s->lengths[k], state);
        sprintf(cut + strlen(cut), "s%d = f.Stop (l%d)", k, k);
        sprintf(state, lstm ? "s%d, d%d" : "s%d", k, k);
        if (lstm)
            sprintf(cut + strlen(cut), " d%d = f.Stop (c%d)", k, k);
        strcat(cut, "\n");
    }
    sprintf(cut + strlen(cut), "Y = Concat <axis = 0> (%s) L = Identity (l%d)\n", s->y, s->count - 1);
    write_end(cut);
}

static bool goes_backwards(const struct cell *c)
{
    return strstr(c->attrs, "reverse");
}

START_TEST(states_are_cut_behind_each_stretch)
{
    static const struct stretches forwards = { "from_front", 3, { 0, 1, 2 }, { "", "", "" }, "Y0, Y1, Y2" },
                                  backwards = { "from_end", 3, { 2, 1, 0 }, { "", "", "" }, "Y0, Y1, Y2" };
    const struct cell *c = &cells[_i];

    write_whole(c, "");
    write_cut(c, goes_backwards(c) ? &backwards : &forwards);
    expect_as_cut(whole, cut, 2);
}
END_TEST

/* Past its end a sequence has no steps; one that goes backwards begins there. */
START_TEST(stretches_count_the_steps_of_a_sequence)
{
    static const struct stretches forwards = { "from_front", 2, { 0, 1 }, { "two", "some" }, "Y0, Y1, one_zero" },
                                  backwards = { "from_end", 2, { 1, 0 }, { "two", "one" }, "Y0, Y1, two_zeros" };
    const struct cell *c = &cells[_i];

    write_whole(c, goes_backwards(c) ? "three" : "uneven");
    write_cut(c, goes_backwards(c) ? &backwards : &forwards);
    expect_as_cut(whole, cut, 2);
}
END_TEST

/* Each direction has stretches of its own. */
START_TEST(both_directions_are_cut)
{
    static const struct cell both = { "LSTM", ", direction = \"bidirectional\"", 4 };
    struct learned together, apart;
    char *to = cut;

    write_head(whole, &both, 2);
    strcat(whole, "h2 = Concat <axis = 0> (h, h)\n");
    write_cell(whole, &both, "Y, L", "t", "", "h2, h2");
    write_end(whole);
    write_head(to, &both, 2);
    for (int k = 0; k < 3; k++)
        sprintf(to + strlen(to), "%c0, %c1 = Split <axis = 0> (%c)\n", "WRB"[k], "WRB"[k], "WRB"[k]);
    strcat(to, "Yf, Lf = LSTM <hidden_size = 2> (t, W0, R0, B0, , h, h)\n"
               "Yb, Lb = LSTM <hidden_size = 2, direction = \"reverse\"> (t, W1, R1, B1, , h, h)\n"
               "Y = Concat <axis = 1> (Yf, Yb) L = Concat <axis = 0> (Lf, Lb)\n");
    write_end(to);
    learn(&together, whole, 2);
    learn(&apart, cut, 2);
    ck_assert_double_lt(difference(&together, &apart), 2e-6);
}
END_TEST

/* One stretch is the whole. */
START_TEST(long_stretches_cut_nothing)
{
    struct learned truncated, all;

    for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
        write_whole(&cells[k], "");
        learn(&truncated, whole, 5);
        learn(&all, whole, 0);
        ck_assert_double_eq(difference(&truncated, &all), 0);
    }
}
END_TEST

/* -- loops -- */

/* '@' is the number of the iteration, '#' that of the next; a is what the state is added up in. */
static const char step[] =
    "g@ = Gather <axis = 1> (p, i@) q@ = MatMul (g@, V) r@ = MatMul (k@, R) s@ = Add (q@, r@) b@ = Add "
    "(s@, B) h# = Tanh (b@) a# = Add (a@, h#) y@ = Mul (h#, h#)\n";

static void write_step(char *text, const char *from, int k)
{
    size_t n = strlen(text);

    for (; *from; from++)
        n += (size_t)(*from == '@'   ? sprintf(text + n, "%d", k)
                      : *from == '#' ? sprintf(text + n, "%d", k + 1)
                                     : sprintf(text + n, "%c", *from));
}

static void write_loop_head(char *text)
{
    strcpy(text, "<ir_version: 8, opset_import: [\"\": 17, \"f\": 1]>\n"
                 "g (float[N,5,3] x) => (float[N,M] y) <int64 many = {5}, bool yes = {1}, float zero = {0}, int64[1] "
                 "front = {1}, ");
    put_numbers(text, "float[3,3] P", 9, 11);
    put_numbers(text, ", float[3,2] V", 6, 23);
    put_numbers(text, ", float[3,2] W", 6, 31);
    put_numbers(text, ", float[2,2] R", 4, 43);
    put_numbers(text, ", float[2] B", 2, 57);
    strcat(text, "> {\np = MatMul (x, P) c0 = Constant <value_int = 0> () x0 = Gather <axis = 1> (x, c0)\n"
                 "h0 = MatMul (x0, W) a0 = Mul (h0, zero)\n");
}

static const char loop_end[] =
    "one = Constant <value_ints = [1]> () m = ReduceSum <keepdims = 0> (ys, one) y = Concat <axis "
    "= 1> (h5, a5, m)\n}\n" STOP;

static void write_written_out(int bptt)
{
    write_loop_head(cut);
    for (int k = 0; k < STEPS; k++) {
        sprintf(cut + strlen(cut), "i%d = Constant <value_int = %d> ()\n", k, k);
        if (k && k % bptt == 0)
            sprintf(cut + strlen(cut), "k%d = f.Stop (h%d)\n", k, k);
        else
            sprintf(cut + strlen(cut), "k%d = Identity (h%d)\n", k, k);
        write_step(cut, step, k);
        sprintf(cut + strlen(cut), "up%d = Unsqueeze (y%d, front)\n", k, k);
    }
    strcat(cut, "ys = Concat <axis = 1> (up0, up1, up2, up3, up4)\n");
    strcat(cut, loop_end);
}

/* But for what is only added to: the costs of all steps count. */
START_TEST(what_a_loop_carries_is_cut)
{
    write_loop_head(whole);
    strcat(whole,
           "h5, a5, sc = Loop (many, yes, h0, a0) <body = b (int64 i7, bool go, float[N,2] h7, float[N,2] a7) => (bool "
           "on, float[N,2] h8, float[N,2] a8, float[N,2] y7) {\n");
    strcat(whole, "k7 = Identity (h7) ");
    write_step(whole, step, 7);
    strcat(whole, "on = Identity (go) }>\nys = Transpose <perm = [1, 0, 2]> (sc)\n");
    strcat(whole, loop_end);
    for (int bptt = 1; bptt < STEPS; bptt++) {
        write_written_out(bptt);
        expect_as_cut(whole, cut, bptt);
    }
}
END_TEST

/* What is added to, and read otherwise, too, is a state as any other. */
START_TEST(what_is_added_to_and_read_is_cut)
{
    static const char read[] =
        "g@ = Gather <axis = 1> (p, i@) m@ = MatMul (g@, V) q@ = Add (m@, B) h# = MatMul (k@, R) "
        "y@ = Mul (e@, q@) a# = Add (e@, q@)\n";
    const int bptt = 2;

    write_loop_head(whole);
    strcat(whole,
           "h5, a5, sc = Loop (many, yes, h0, h0) <body = b (int64 i7, bool go, float[N,2] h7, float[N,2] a7) => (bool "
           "on, float[N,2] h8, float[N,2] a8, float[N,2] y7) {\nk7 = Identity (h7) e7 = Identity (a7) ");
    write_step(whole, read, 7);
    strcat(whole, "on = Identity (go) }>\nys = Transpose <perm = [1, 0, 2]> (sc)\n");
    strcat(whole, loop_end);
    write_loop_head(cut);
    strcat(cut, "z0 = Identity (h0)\n");
    for (int k = 0; k < STEPS; k++) {
        const char *op = k && k % bptt == 0 ? "f.Stop" : "Identity";

        sprintf(cut + strlen(cut), "i%d = Constant <value_int = %d> () k%d = %s (h%d) e%d = %s (%c%d)\n", k, k, k, op,
                k, k, op, k ? 'a' : 'z', k);
        write_step(cut, read, k);
        sprintf(cut + strlen(cut), "up%d = Unsqueeze (y%d, front)\n", k, k);
    }
    strcat(cut, "ys = Concat <axis = 1> (up0, up1, up2, up3, up4)\n");
    strcat(cut, loop_end);
    expect_as_cut(whole, cut, bptt);
}
END_TEST

/* Also in a branch. */
START_TEST(a_loop_in_a_branch_is_cut)
{
    write_loop_head(whole);
    strcat(whole,
           "least = ReduceMin <keepdims = 0> (x) less = Less (least, zero)\n"
           "h5, a5, sc = If (less) <then_branch = t () => (float[N,2] h6, float[N,2] a6, float[5,N,2] s6) {\n"
           "h6, a6, s6 = Loop (many, yes, h0, a0) <body = b (int64 i7, bool go, float[N,2] h7, float[N,2] a7) => "
           "(bool on, float[N,2] h8, float[N,2] a8, float[N,2] y7) {\nk7 = Identity (h7) ");
    write_step(whole, step, 7);
    strcat(whole,
           "on = Identity (go) }> }, else_branch = e () => (float[N,2] h9, float[N,2] a9, float[5,N,2] s9) {\n"
           "h9 = Relu (h0) a9 = Relu (a0) five = Constant <value_ints = [5, 1, 1]> () s9 = Expand (h0, five) }>\n"
           "ys = Transpose <perm = [1, 0, 2]> (sc)\n");
    strcat(whole, loop_end);
    write_written_out(2);
    expect_as_cut(whole, cut, 2);
}
END_TEST

START_TEST(a_scan_is_cut_as_well)
{
    write_loop_head(whole);
    strcat(whole, "pt = Transpose <perm = [1, 0, 2]> (p)\n"
                  "h5, a5, sc = Scan <num_scan_inputs = 1, body = b (float[N,2] h7, float[N,2] a7, float[N,3] g7) => "
                  "(float[N,2] h8, float[N,2] a8, float[N,2] y7) {\n");
    strcat(whole, "k7 = Identity (h7) ");
    write_step(whole, strchr(step, 'q'), 7);
    strcat(whole, "}> (h0, a0, pt)\nys = Transpose <perm = [1, 0, 2]> (sc)\n");
    strcat(whole, loop_end);
    write_written_out(2);
    expect_as_cut(whole, cut, 2);
}
END_TEST

START_TEST(where_nothing_is_carried_one_is_told)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m =
        open_text(HEAD "g (float[N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> { y = MatMul (x, w) }");
    char told[200] = "";
    kiln_trainer *t;

    o.diagnostic = note;
    o.user = told;
    o.bptt = 4;
    ok(kiln_trainer_new(&t, m, &o, &err));
    ck_assert_str_eq(told, "bptt is 4, but the model has no RNN, GRU, LSTM, Loop or Scan: it does nothing");
    kiln_trainer_free(t);
    o.bptt = -1;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT, "bptt is -1, must be from 0 to");
    kiln_model_free(m);
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_truncation");

    add_tests(s, states_are_cut_behind_each_stretch, sizeof cells / sizeof *cells);
    add_tests(s, stretches_count_the_steps_of_a_sequence, sizeof cells / sizeof *cells);
    add_test(s, both_directions_are_cut);
    add_test(s, long_stretches_cut_nothing);
    add_test(s, what_a_loop_carries_is_cut);
    add_test(s, what_is_added_to_and_read_is_cut);
    add_test(s, a_loop_in_a_branch_is_cut);
    add_test(s, a_scan_is_cut_as_well);
    add_test(s, where_nothing_is_carried_one_is_told);
    return s;
}
