/* Steps of training as files: what a trainer writes of itself is run, and comes to the trainer's own parameters. */
#include "public.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>

enum { STEPS = 10, BATCH = 4, MOST_STATES = 64, MOST_INPUTS = 4 };

/* -- models: '@' stands for as many zeros as the type before it has -- */

#define HEAD18       "<ir_version: 8, opset_import: [\"\": 18]>\n"
#define DENSE        "float[5,6] w1 = @, float[5] b1 = @, float[3,5] w2 = @, float[3] b2 = @"
#define MLP(between) MLP_ENDS(between, "y = Softmax <axis = -1> (z)")
#define MLP_ENDS(between, end)                                                                                         \
    "mlp (float[N,6] x) => (float[N,3] y) <" DENSE "> { h = Gemm <transB = 1> (x, w1, b1) " between                    \
    " z = Gemm <transB = 1> (a, w2, b2) " end " }"
#define BN                                                                                                             \
    "float[4] s = {1,1,1,1}, float[4] o = {0,0,0,0}, float[4] m = {0,0,0,0}, float[4] v = {1,1,1,1}, float r = {0.3}"
#define CONVOLUTION                                                                                                    \
    "cnn (float[N,2,7,6] x) => (float[N,3] y) <float[4,2,3,3] w1 = @, float[4] b1 = @, " BN                            \
    ", float[4,2,3,2] w3 = @, float[3,8] w2 = @, float[3] b2 = @> { c = Conv <pads = [1,1,1,1]> (x, w1, b1) "          \
    "n = BatchNormalization (c, s, o, m, v) a = Relu (n) "                                                             \
    "p = MaxPool <kernel_shape = [2,2], strides = [2,2], ceil_mode = 1> (a) d = Dropout (p, r) "                       \
    "g = Conv <group = 2, strides = [2,1]> (d, w3) e = Elu (g) "                                                       \
    "q = AveragePool <kernel_shape = [1,2], pads = [0,0,0,1]> (e) f = Flatten (q) "                                    \
    "z = Gemm <transB = 1> (f, w2, b2) y = Softmax <axis = -1> (z) }"
#define STATISTICS                                                                                                     \
    "cnn (float[N,2,7,6] x) => (float[N,4] y) <float[4,2,3,3] w1 = @, " BN "> { c = Conv (x, w1) "                     \
    "n = BatchNormalization (c, s, o, m, v) a = LeakyRelu (n) g = GlobalAveragePool (a) f = Flatten (g) "              \
    "y = Softmax <axis = -1> (f) }"
#define RECURRENT(op, gates, more)                                                                                     \
    "rnn (float[N,5,3] x) => (float[N,3] y) <float[1," gates ",3] w = @, float[1," gates ",4] r = @, "                 \
    "float[3,4] w2 = @, int64[2] two = {-1,4}> { t = Transpose <perm = [1,0,2]> (x) "                                  \
    "s, h = " op " <hidden_size = 4 " more                                                                             \
    "> (t, w, r) l = Reshape (h, two) z = Gemm <transB = 1> (l, w2) y = Softmax (z) }"
#define ATTENTION                                                                                                      \
    "att (float[N,5,4] x) => (float[N,5,4] y) <float[4,4] wq = @, float[4,4] wk = @, float[4,4] wv = @, "              \
    "float[4] s = {1,1,1,1}, float[4] o = {0,0,0,0}, float r = {0.25}> { q = MatMul (x, wq) k = MatMul (x, wk) "       \
    "v = MatMul (x, wv) kt = Transpose <perm = [0,2,1]> (k) c = MatMul (q, kt) p = Softmax <axis = -1> (c) "           \
    "pd = Dropout (p, r) a = MatMul (pd, v) u = Add (a, x) y = LayerNormalization (u, s, o) }"

#define MICROSOFT                                                                                                      \
    "cnn (float[N,2,5,6] x) => (float[N,3] y) <float[3,2,3,3] w1 = @, float[3] b1 = @, float s = {0.05}, float t = "   \
    "{0.0375}, "                                                                                                       \
    "uint8 z = {120}> { q = QuantizeLinear (x, s, z) "                                                                 \
    "p = com.microsoft.QLinearAveragePool <kernel_shape = [1,2], pads = [0,1,0,0]> (q, s, z, t, z) "                   \
    "d = DequantizeLinear (p, t, z) "                                                                                  \
    "c = com.microsoft.FusedConv <activation = \"Tanh\", pads = [1,0,1,1], strides = [2,1]> (d, w1, b1) "              \
    "g = GlobalAveragePool (c) f = Flatten (g) y = Softmax <axis = -1> (f) }"

struct trial {
    const char *model, *loss, *optimizer;
    double within;
    const char *freeze;
};

#define SPARSE "sparse_categorical_crossentropy"
#define TANH   MLP("a = Tanh (h)")

static const struct trial trials[] = {
    /* optimisers */
    { TANH, SPARSE, "sgd", 1e-6, NULL },
    { TANH, SPARSE, "sgd:momentum=0.9", 1e-6, NULL },
    { TANH, SPARSE, "sgd:momentum=0.9,nesterov=1", 1e-6, NULL },
    { TANH, SPARSE, "adam:learning_rate=0.01", 1e-6, NULL },
    { TANH, SPARSE, "adam:amsgrad=1", 1e-6, NULL },
    { TANH, SPARSE, "adamw:learning_rate=0.01", 1e-6, NULL },
    { TANH, SPARSE, "adamax", 1e-6, NULL },
    { TANH, SPARSE, "adadelta:learning_rate=1", 1e-6, NULL },
    { TANH, SPARSE, "adagrad", 1e-6, NULL },
    { TANH, SPARSE, "ftrl:l1_regularization_strength=0.001,l2_shrinkage_regularization_strength=0.01,beta=0.1", 1e-5,
      NULL },
    { TANH, SPARSE, "lamb", 1e-6, NULL },
    { TANH, SPARSE, "lion", 1e-6, NULL },
    { TANH, SPARSE, "nadam", 1e-6, NULL },
    { TANH, SPARSE, "rmsprop", 1e-6, NULL },
    { TANH, SPARSE, "rmsprop:momentum=0.5", 1e-6, NULL },
    { TANH, SPARSE, "rmsprop:centered=1", 1e-6, NULL },
    { TANH, SPARSE, "rmsprop:centered=1,momentum=0.5", 1e-6, NULL },
    { TANH, SPARSE, "sgd:clipnorm=0.1,learning_rate=0.1", 1e-6, NULL },
    { TANH, SPARSE, "sgd:global_clipnorm=0.1,learning_rate=0.1", 1e-6, NULL },
    { TANH, SPARSE, "sgd:clipvalue=0.01,learning_rate=0.1", 1e-6, NULL },
    { TANH, SPARSE, "adam:gradient_accumulation_steps=3", 1e-6, NULL },
    { TANH, SPARSE, "sgd:weight_decay=0.1", 1e-6, NULL },
    { TANH, SPARSE, "adam:use_ema=1,ema_momentum=0.5,ema_overwrite_frequency=3", 1e-6, NULL },
    { TANH, SPARSE, "sgd", 1e-6, "w1" },
    /* losses */
    { TANH, SPARSE ":ignore_class=1", "sgd", 1e-6, NULL },
    { MLP_ENDS("a = Tanh (h)", "y = Identity (z)"), SPARSE ":from_logits=1", "sgd", 1e-6, NULL },
    { MLP_ENDS("a = Tanh (h)", "y = Sigmoid (z)"), SPARSE, "sgd", 1e-6, NULL },
    { TANH, "categorical_crossentropy:label_smoothing=0.1", "sgd", 1e-6, NULL },
    { MLP_ENDS("a = Tanh (h)", "y = Sigmoid (z)"), "categorical_crossentropy", "sgd", 1e-6, NULL },
    { TANH, "categorical_focal_crossentropy", "sgd", 1e-6, NULL },
    { MLP_ENDS("a = Tanh (h)", "y = Sigmoid (z)"), "categorical_focal_crossentropy", "sgd", 1e-6, NULL },
    { TANH, "categorical_hinge", "sgd", 1e-6, NULL },
    { TANH, "categorical_generalized_cross_entropy", "sgd", 1e-6, NULL },
    { TANH, "kl_divergence", "sgd", 1e-6, NULL },
    { TANH, "binary_crossentropy:label_smoothing=0.1", "sgd", 1e-6, NULL },
    { MLP_ENDS("a = Tanh (h)", "y = Sigmoid (z)"), "binary_crossentropy", "sgd", 1e-6, NULL },
    { TANH, "binary_focal_crossentropy:apply_class_balancing=1", "sgd", 1e-6, NULL },
    { MLP_ENDS("a = Tanh (h)", "y = Sigmoid (z)"), "binary_focal_crossentropy", "sgd", 1e-6, NULL },
    { TANH, "mean_squared_error", "sgd", 1e-6, NULL },
    { TANH, "mean_absolute_error", "sgd", 1e-6, NULL },
    { TANH, "mean_absolute_percentage_error", "sgd:learning_rate=1e-4", 1e-6, NULL },
    { TANH, "mean_squared_logarithmic_error", "sgd", 1e-6, NULL },
    { TANH, "log_cosh", "sgd", 1e-6, NULL },
    { TANH, "huber:delta=0.2", "sgd", 1e-6, NULL },
    { TANH, "poisson", "sgd", 1e-6, NULL },
    { TANH, "hinge", "sgd", 1e-6, NULL },
    { TANH, "squared_hinge", "sgd", 1e-6, NULL },
    { TANH, "cosine_similarity", "sgd", 1e-6, NULL },
    { TANH, "dice", "sgd", 1e-6, NULL },
    { TANH, "tversky", "sgd", 1e-6, NULL },
    /* networks */
    { MLP("d = Dropout (h) a = Relu (d)"), SPARSE, "adam", 1e-6, NULL },
    { CONVOLUTION, SPARSE, "sgd:momentum=0.9", 1e-5, NULL },
    { RECURRENT("LSTM", "16", ""), SPARSE, "adam", 1e-5, NULL },
    { RECURRENT("GRU", "12", ", linear_before_reset = 1"), SPARSE, "adam", 1e-5, NULL },
    { RECURRENT("RNN", "4", ""), SPARSE, "adam", 1e-5, NULL },
    { ATTENTION, "mean_squared_error", "adam", 1e-5, NULL },
    { MICROSOFT, SPARSE, "sgd", 1e-5, NULL },
};

static char *expanded(const char *text, int opset)
{
    char *out = calloc(strlen(text) + 4096, 1), *to = out;
    int64_t n = 1;

    to += sprintf(to, "<ir_version: 8, opset_import: [\"\": %d, \"com.microsoft\": 1]>\n", opset);
    for (; *text; text++) {
        if (*text == '[')
            for (n = 1; *text != ']'; text++) {
                if (isdigit((unsigned char)text[1]) && !isdigit((unsigned char)*text))
                    n *= atoi(text + 1);
                *to++ = *text;
            }
        if (*text != '@') {
            *to++ = *text;
            continue;
        }
        *to++ = '{';
        for (int64_t k = 0; k < n; k++)
            to += sprintf(to, "%s0", k ? "," : "");
        *to++ = '}';
    }
    return out;
}

/* -- numbers -- */

static uint32_t state;

static double drawn(void) /* in [0, 1) */
{
    state = state * 1664525u + 1013904223u;
    return (double)(state >> 8) / (1 << 24);
}

static kiln_tensor *random_tensor(kiln_dtype dtype, int rank, const int64_t *dims)
{
    int64_t d[8], n = 1;
    kiln_tensor *t;

    for (int k = 0; k < rank; k++) {
        d[k] = dims[k] < 0 ? BATCH : dims[k];
        n *= d[k];
    }
    ok(kiln_tensor_new(&t, dtype, rank, d, NULL, &err));
    for (int64_t k = 0; k < n; k++)
        if (dtype == KILN_INT64)
            ((int64_t *)kiln_tensor_data(t))[k] = (int64_t)(drawn() * 3);
        else if (dtype == KILN_DOUBLE)
            ((double *)kiln_tensor_data(t))[k] = drawn();
        else
            ((float *)kiln_tensor_data(t))[k] = (float)drawn();
    return t;
}

static void draw_parameters(kiln_trainer *t)
{
    for (size_t k = 0; k < kiln_trainer_parameter_count(t); k++) {
        const kiln_parameter *p = kiln_trainer_parameter(t, k);
        kiln_tensor *v;

        if (p->role != KILN_TRAINABLE)
            continue;
        ok(kiln_trainer_get(&v, t, p->name, NULL, &err));
        for (int64_t i = 0; i < kiln_tensor_count(v); i++)
            if (kiln_tensor_dtype(v) == KILN_DOUBLE)
                ((double *)kiln_tensor_data(v))[i] += drawn() - .5;
            else
                ((float *)kiln_tensor_data(v))[i] += (float)(drawn() - .5);
        ok(kiln_trainer_set(t, p->name, NULL, v, &err));
        kiln_tensor_free(v);
    }
}

static kiln_trainer *trainer_of(const struct trial *t, int opset)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    char *whole = expanded(t->model, opset);
    kiln_model *m = open_text(whole);
    kiln_trainer *trainer;

    o.loss = t->loss;
    o.optimizer = t->optimizer;
    o.freeze = &t->freeze;
    o.freeze_count = t->freeze != NULL;
    o.seed = 0x123456789a;
    o.threads = 1;
    state = 7;
    ok(kiln_trainer_new(&trainer, m, &o, &err));
    kiln_model_free(m);
    free(whole);
    draw_parameters(trainer);
    return trainer;
}

/* -- running -- */

/* What lasts from step to step, by the metadata. */
struct pairs {
    size_t count;
    const char *in[MOST_STATES], *out[MOST_STATES];
    kiln_tensor *now[MOST_STATES];
};

static struct pairs pairs_of(const kiln_model *m)
{
    struct pairs p = { 0 };
    const char *key, *value;

    for (size_t k = 0; kiln_model_metadata(m, k, &key, &value); k++) {
        ck_assert(strncmp(key, "next:", 5) == 0 && p.count < MOST_STATES);
        p.in[p.count] = key + 5;
        p.out[p.count++] = value;
    }
    return p;
}

static void run_step(kiln_session *s, struct pairs *p, size_t count, const char *const *names,
                     const kiln_tensor *const *tensors)
{
    const char *all[MOST_STATES + MOST_INPUTS];
    const kiln_tensor *given[MOST_STATES + MOST_INPUTS];

    for (size_t k = 0; k < count; k++) {
        all[k] = names[k];
        given[k] = tensors[k];
    }
    for (size_t k = 0; k < p->count && p->now[0]; k++) {
        all[count] = p->in[k];
        given[count++] = p->now[k];
    }
    ok(kiln_session_run(s, count, all, given, &err));
    for (size_t k = 0; k < p->count; k++) {
        kiln_tensor_free(p->now[k]);
        ok(kiln_tensor_copy(&p->now[k], kiln_session_output_named(s, p->out[k]), &err));
    }
}

static void compare(const kiln_tensor *is, const kiln_tensor *must, double within, const char *name)
{
    ck_assert_int_eq(kiln_tensor_count(is), kiln_tensor_count(must));
    for (int64_t k = 0; k < kiln_tensor_count(is); k++)
        ck_assert_msg(fabs(kiln_tensor_number(is, k) - kiln_tensor_number(must, k)) <=
                          within * (1 + fabs(kiln_tensor_number(must, k))),
                      "%s[%lld] is %.9g, must be %.9g", name, (long long)k, kiln_tensor_number(is, k),
                      kiln_tensor_number(must, k));
}

/* "PARAMETER" or "PARAMETER.SLOT", as the trainer has it. */
static kiln_tensor *of_trainer(kiln_trainer *t, const char *name)
{
    char parameter[64];
    const char *dot = strchr(name, '.');
    kiln_tensor *v;

    snprintf(parameter, sizeof parameter, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
    ok(kiln_trainer_get(&v, t, parameter, dot ? dot + 1 : NULL, &err));
    return v;
}

static void compare_all(kiln_trainer *t, const struct pairs *p, double within)
{
    for (size_t k = 0; k < p->count; k++) {
        kiln_tensor *must;

        if (strcmp(p->in[k], "step") == 0) {
            ck_assert_int_eq((int)kiln_tensor_number(p->now[k], 0), STEPS);
            continue;
        }
        must = of_trainer(t, p->in[k]);
        compare(p->now[k], must, within, p->in[k]);
        kiln_tensor_free(must);
    }
}

static void try_lowered(const struct trial *trial, int opset)
{
    kiln_trainer *t = trainer_of(trial, opset);
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    kiln_model *m;
    kiln_session *s;
    struct pairs p;

    so.threads = 1;
    ok(kiln_trainer_lower(&m, t, BATCH, &err));
    ok(kiln_session_new(&s, m, &so, &err));
    p = pairs_of(m);
    for (int step = 0; step < STEPS; step++) {
        const kiln_value_info *of_x = kiln_trainer_input(t, 0), *of_y = kiln_trainer_labels(t, 0);
        kiln_tensor *x = random_tensor(of_x->dtype, of_x->rank, of_x->dims);
        kiln_tensor *y = random_tensor(of_y->dtype, of_y->rank, of_y->dims);
        kiln_score score;

        ok(kiln_trainer_step(t, x, y, &score, &err));
        run_step(s, &p, 2, (const char *const[]){ "x", "labels" }, (const kiln_tensor *const[]){ x, y });
        ck_assert_double_eq_tol(kiln_tensor_number(kiln_session_output_named(s, "loss"), 0), score.loss, 1e-4);
        kiln_tensor_free(x);
        kiln_tensor_free(y);
    }
    compare_all(t, &p, trial->within);
    for (size_t k = 0; k < p.count; k++)
        kiln_tensor_free(p.now[k]);
    kiln_session_free(s);
    kiln_model_free(m);
    kiln_trainer_free(t);
}

START_TEST(lowered_steps_come_to_the_same)
{
    try_lowered(&trials[_i], 18);
}
END_TEST

/* -- described -- */

static void try_described(const struct trial *trial, int opset)
{
    kiln_trainer *t = trainer_of(trial, opset);
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    kiln_training *training;
    kiln_model *m;

    so.threads = 1;
    ok(kiln_trainer_describe(&m, t, &err));
    ok(kiln_training_new(&training, m, &so, &err));
    for (int step = 0; step < STEPS; step++) {
        const kiln_value_info *of_x = kiln_trainer_input(t, 0), *of_y = kiln_trainer_labels(t, 0);
        kiln_tensor *x = random_tensor(of_x->dtype, of_x->rank, of_x->dims);
        kiln_tensor *y = random_tensor(of_y->dtype, of_y->rank, of_y->dims);
        kiln_score score;

        ok(kiln_trainer_step(t, x, y, &score, &err));
        ok(kiln_training_step(training, (const kiln_tensor *const[]){ x, y }, &err));
        kiln_tensor_free(x);
        kiln_tensor_free(y);
    }
    for (size_t k = 0; k < kiln_trainer_parameter_count(t); k++) {
        const kiln_parameter *q = kiln_trainer_parameter(t, k);
        kiln_tensor *is, *must;

        if (q->role != KILN_TRAINABLE && q->role != KILN_STATISTIC)
            continue;
        ok(kiln_trainer_get(&must, t, q->name, NULL, &err));
        ok(kiln_training_get(&is, training, q->name, &err));
        compare(is, must, trial->within, q->name);
        kiln_tensor_free(is);
        kiln_tensor_free(must);
    }
    kiln_training_free(training);
    kiln_model_free(m);
    kiln_trainer_free(t);
}

START_TEST(described_steps_come_to_the_same)
{
    try_described(&trials[_i], 18);
}
END_TEST

/* Reductions have other attributes, and Dropout's numbers cannot be written. */
START_TEST(older_opsets_are_written)
{
    static const struct trial all[] = {
        { STATISTICS, SPARSE, "adam:global_clipnorm=1", 1e-5, NULL },
        { RECURRENT("LSTM", "16", ""), "categorical_hinge", "lamb", 1e-5, NULL },
        { TANH, "huber", "nadam", 1e-6, NULL },
    };

    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        try_described(&all[k], 13 + _i);
        try_lowered(&all[k], 13 + _i);
    }
}
END_TEST

/* -- what else there is, and what there is not -- */

#define TWO                                                                                                            \
    HEAD18                                                                                                             \
    "two (float[N,2] x) => (float[N,2] a, float[N,1] b) <float[2,2] w = {1,2,3,4}, float[2,1] v = {1,-1}, "            \
    "float16[2] h = {14336,13312}> { p = MatMul (x, w) g = Cast <to = 1> (h) a = Add (p, g) b = MatMul (x, v) }"

START_TEST(several_outputs_weights_and_penalties)
{
    static const kiln_target targets[] = { { "a", "mean_squared_error", 2 }, { "b", "mean_absolute_error", 0 } };
    static const kiln_regularizer penalty = { "w", "l2:0.1", false };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    kiln_model *m = open_text(TWO), *lowered;
    kiln_trainer *t;
    kiln_session *s;
    struct pairs p;

    o.targets = targets;
    o.target_count = 2;
    o.regularizers = &penalty;
    o.regularizer_count = 1;
    o.weighted = true;
    o.threads = so.threads = 1;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    ok(kiln_trainer_lower(&lowered, t, BATCH, &err));
    ok(kiln_session_new(&s, lowered, &so, &err));
    p = pairs_of(lowered);
    state = 3;
    for (int step = 0; step < STEPS; step++) {
        kiln_tensor *x = random_tensor(KILN_FLOAT, 2, (const int64_t[]){ BATCH, 2 });
        kiln_tensor *a = random_tensor(KILN_FLOAT, 2, (const int64_t[]){ BATCH, 2 });
        kiln_tensor *b = random_tensor(KILN_FLOAT, 2, (const int64_t[]){ BATCH, 1 });
        kiln_tensor *w = random_tensor(KILN_FLOAT, 1, (const int64_t[]){ BATCH });
        kiln_score score;

        ok(kiln_trainer_step_weighted(t, true, (const kiln_tensor *const[]){ x }, (const kiln_tensor *const[]){ a, b },
                                      w, &score, &err));
        run_step(s, &p, 4, (const char *const[]){ "x", "a.labels", "b.labels", "weights" },
                 (const kiln_tensor *const[]){ x, a, b, w });
        ck_assert_double_eq_tol(kiln_tensor_number(kiln_session_output_named(s, "loss"), 0), score.loss, 1e-5);
        kiln_tensor_free(x);
        kiln_tensor_free(a);
        kiln_tensor_free(b);
        kiln_tensor_free(w);
    }
    compare_all(t, &p, 1e-6);
    for (size_t k = 0; k < p.count; k++)
        kiln_tensor_free(p.now[k]);
    expect(kiln_trainer_describe(&m, t, &err), KILN_UNSUPPORTED, "'h' is trained as another tensor than the file has");
    kiln_session_free(s);
    kiln_model_free(lowered);
    kiln_trainer_free(t);
}
END_TEST

/* What a name that is taken becomes; a rate of the caller's. */
#define TAKEN                                                                                                          \
    HEAD18 "taken (float[N,1] labels) => (float[N,1] loss) <float[1,1] step = {1}> { loss = MatMul (labels, step) }"

START_TEST(names_that_are_taken_get_a_line)
{
    static const float one = 1, rate_of_none = 0;
    static const int64_t one_by_one[] = { 1, 1 };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_session_options so = KILN_SESSION_OPTIONS_INIT;
    const double rate = 0;
    kiln_model *m = open_text(TAKEN), *lowered;
    kiln_tensor *x = floats(2, one_by_one, &one), *y = floats(2, one_by_one, &rate_of_none), *r;
    kiln_trainer *t;
    kiln_session *s;

    o.loss = "mse";
    o.optimizer = "sgd";
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    ok(kiln_trainer_lower(&lowered, t, 1, &err));
    ok(kiln_session_new(&s, lowered, &so, &err));
    ok(kiln_session_run(s, 2, (const char *const[]){ "labels", "labels_" }, (const kiln_tensor *const[]){ x, y },
                        &err));
    ck_assert_double_eq_tol(kiln_tensor_number(kiln_session_output_named(s, "step.next"), 0), 0.98, 1e-6);
    ck_assert_int_eq((int)kiln_tensor_number(kiln_session_output_named(s, "step_.next"), 0), 1);
    ok(kiln_tensor_new(&r, KILN_DOUBLE, 0, NULL, &rate, &err));
    ok(kiln_session_run(s, 3, (const char *const[]){ "labels", "labels_", "learning_rate" },
                        (const kiln_tensor *const[]){ x, y, r }, &err));
    ck_assert_double_eq(kiln_tensor_number(kiln_session_output_named(s, "step.next"), 0), 1);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_tensor_free(r);
    kiln_session_free(s);
    kiln_model_free(lowered);
    kiln_trainer_free(t);
}
END_TEST

static kiln_trainer *trained(const char *text, const char *loss, bool measure)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(text);
    kiln_trainer *t;

    o.loss = loss;
    o.measure = measure;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    return t;
}

#define SMALL(opset, nodes)                                                                                            \
    "<ir_version: 8, opset_import: [\"\": " opset                                                                      \
    "]> s (float[N,4,3] x) => (float[N,4,3] y) <float[3] w = {1,2,3}> { " nodes " }"

START_TEST(what_cannot_be_written_is_told)
{
    static const struct {
        const char *model, *loss;
        bool measure, describe;
        int64_t batch;
        kiln_status code;
        const char *part;
    } all[] = {
        { SMALL("18", "y = Mul (x, w)"), "ctc", false, false, 2, KILN_UNSUPPORTED, "loss 'ctc' cannot be written" },
        { SMALL("18", "y = Mul (x, w)"), "mse", true, false, 2, KILN_BAD_ARGUMENT, "made to measure" },
        { SMALL("18", "y = Mul (x, w)"), "mse", false, false, -1, KILN_BAD_ARGUMENT, "batch is below 0" },
        { SMALL("12", "y = Mul (x, w)"), "mse", false, true, 0, KILN_UNSUPPORTED, "the model is of opset 12" },
        { SMALL("17", "d = Dropout (x) y = Mul (d, w)"), "mse", false, true, 0, KILN_UNSUPPORTED,
          "BitwiseAnd, which it is written with, is of opset 18, and what is written is of opset 17" },
        { SMALL("18", "r = RandomNormalLike (x) m = Mul (x, w) y = Add (m, r)"), "mse", false, false, 2,
          KILN_UNSUPPORTED, "draws random numbers" },
        { SMALL("27", "f = Mul (x, w) a = Constant <value_int = 1> () y = CumProd (f, a)"), "mse", false, false, 2,
          KILN_UNSUPPORTED, "CumProdGrad has no form in operators of the standard" },
    };

    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        kiln_trainer *t = trained(all[k].model, all[k].loss, all[k].measure);
        kiln_model *m;

        expect(all[k].describe ? kiln_trainer_describe(&m, t, &err) : kiln_trainer_lower(&m, t, all[k].batch, &err),
               all[k].code, all[k].part);
        ck_assert_ptr_null(m);
        kiln_trainer_free(t);
    }
    expect(kiln_trainer_lower(NULL, NULL, 1, &err), KILN_BAD_ARGUMENT, "out is NULL");
    expect(kiln_trainer_describe(NULL, NULL, &err), KILN_BAD_ARGUMENT, "out is NULL");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("step_file");

    add_tests(s, lowered_steps_come_to_the_same, sizeof trials / sizeof *trials);
    add_tests(s, described_steps_come_to_the_same, sizeof trials / sizeof *trials);
    add_tests(s, older_opsets_are_written, 18 - 13);
    add_test(s, several_outputs_weights_and_penalties);
    add_test(s, names_that_are_taken_get_a_line);
    add_test(s, what_cannot_be_written_is_told);
    return s;
}
