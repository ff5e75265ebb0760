/* Data sets, training, epochs and what there is to look at, as a program that has nothing but kiln.h uses them. */
#include "public.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { SAMPLES = 20 };

static const char net[] = "<ir_version: 8, opset_import: [\"\": 17]>\n"
                          "net (float[N,2] x) => (float[N,3] y, float[N,3] z)\n"
                          "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}, float[3] b = {0, 0.1, 0.2}> {\n"
                          "    m = MatMul(x, w) z = Add(m, b) y = Softmax(z)\n}";

/* Class k % 3 at (k, k * k), numbers that are not normalised. */
static kiln_dataset *make_data(int64_t limit)
{
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    float x[SAMPLES][2];
    int64_t y[SAMPLES];

    for (int k = 0; k < SAMPLES; k++) {
        x[k][0] = (float)k;
        x[k][1] = (float)(k * k);
        y[k] = k % 3;
    }
    o.limit = limit;
    return samples_of(SAMPLES, 2, x[0], y, &o);
}

static kiln_dataset *normalized(const kiln_dataset *d, const char *kind)
{
    kiln_dataset *made;

    ok(kiln_dataset_normalize(&made, d, kind, NULL, &err));
    return made;
}

static kiln_trainer *new_trainer(const kiln_dataset *d, const char *optimizer)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(net);
    kiln_trainer *t;

    o.data = d;
    o.optimizer = optimizer;
    o.keep_gradients = true;
    ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_model_free(m);
    return t;
}

/* -- data -- */

START_TEST(a_data_set_is_made_of_tensors)
{
    kiln_dataset *d = make_data(0), *few = make_data(4), *none;
    const kiln_dataset_info *i = kiln_dataset_about(d);
    const kiln_column_info *x = kiln_dataset_input(d, 0), *y = kiln_dataset_target(d, 0);
    kiln_tensor *scalar;

    ck_assert(i->count == SAMPLES && i->inputs == 1 && i->targets == 1 && !i->header);
    ck_assert(x->dtype == KILN_FLOAT && x->rank == 1 && x->dims[0] == 2 && !x->name && !x->classes);
    ck_assert(y->dtype == KILN_INT64 && y->rank == 0 && !y->name && y->classes == 3);
    ck_assert(!kiln_dataset_input(d, 1) && !kiln_dataset_target(d, 1) && !kiln_dataset_input(NULL, 0));
    ck_assert_int_eq(kiln_dataset_about(few)->count, 4);
    ok(kiln_tensor_new(&scalar, KILN_FLOAT, 0, NULL, NULL, &err));
    expect(kiln_dataset_new(&none, scalar, scalar, NULL, &err), KILN_BAD_ARGUMENT, "a dimension for the samples");
    expect(kiln_dataset_new(&none, NULL, scalar, NULL, &err), KILN_BAD_ARGUMENT, "x is NULL");
    expect(kiln_dataset_open(&none, "nothing:x", NULL, &err), KILN_BAD_ARGUMENT, "nothing");
    expect(kiln_dataset_open(&none, NULL, NULL, &err), KILN_BAD_ARGUMENT, "spec is NULL");
    ck_assert_ptr_null(none);
    ck_assert_ptr_null(kiln_dataset_about(NULL));
    kiln_dataset_free(NULL);
    kiln_tensor_free(scalar);
    kiln_dataset_free(few);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(a_data_set_is_read_from_a_file)
{
    static const char csv[] = "1,2,0\n3,4,1\n5,6,2\n7,8,1\n";
    char folder[] = "/tmp/kiln-XXXXXX", path[64], spec[80];
    kiln_data_options o = KILN_DATA_OPTIONS_INIT;
    kiln_model *wide = open_text("<ir_version: 8, opset_import: [\"\": 17]>\n"
                                 "g (float[N,5] x) => (float[N,5] y) { y = Neg(x) }");
    kiln_dataset *d, *same, *none;

    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/d.csv", folder);
    ok(kiln_file_write(NULL, path, csv, strlen(csv), &err));
    snprintf(spec, sizeof spec, "csv:%s", path);
    ok(kiln_dataset_open(&d, spec, &o, &err));
    ck_assert(kiln_dataset_about(d)->count == 4 && kiln_dataset_target(d, 0)->classes == 3);
    o.as = d;
    o.limit = 1;
    ok(kiln_file_write(NULL, path, csv, strlen("1,2,0\n3,4,1\n"), &err));
    ok(kiln_dataset_open(&same, spec, &o, &err));
    ck_assert(kiln_dataset_about(same)->count == 1 &&
              kiln_dataset_target(same, 0)->classes == 3); /* though it has two */
    ok(kiln_file_write(NULL, path, csv, strlen(csv), &err));
    o.as = NULL;
    o.loss = "mean_squared_error";
    kiln_dataset_free(d);
    ok(kiln_dataset_open(&d, spec, &o, &err));
    ck_assert_int_eq(kiln_dataset_target(d, 0)->classes, 0); /* they are numbers for this loss */
    o.model = wide;
    expect(kiln_dataset_open(&none, spec, &o, &err), KILN_BAD_DATA, "");
    o.model = NULL;
    o.part = (kiln_part)5;
    expect(kiln_dataset_open(&none, spec, &o, &err), KILN_BAD_ARGUMENT, "part 5");
    o.part = KILN_PART_TEST;
    ok(kiln_dataset_open(&none, spec, &o, &err)); /* without parts it is all there is */
    kiln_dataset_free(none);
    o.memory = 100;
    expect(kiln_dataset_open(&none, spec, &o, &err), KILN_LIMIT, "memory limit");
    unlink(path);
    rmdir(folder);
    kiln_dataset_free(d);
    kiln_dataset_free(same);
    kiln_model_free(wide);
}
END_TEST

START_TEST(a_part_validates)
{
    kiln_dataset *d = make_data(0), *train, *check;

    ok(kiln_dataset_split(&train, &check, d, .25, &err));
    kiln_dataset_free(d); /* the samples stay */
    ck_assert_int_eq(kiln_dataset_about(train)->count, 15);
    ck_assert_int_eq(kiln_dataset_about(check)->count, 5);
    kiln_dataset_free(train);
    expect(kiln_dataset_split(&train, &d, check, 1, &err), KILN_BAD_ARGUMENT, "");
    ck_assert(!train && !d);
    expect(kiln_dataset_split(&train, &d, NULL, .5, &err), KILN_BAD_ARGUMENT, "data is NULL");
    kiln_dataset_free(check);
}
END_TEST

/* A trainer that sees x / 255 has another loss; a set that is fitted to itself is no other for it. */
START_TEST(samples_are_normalised)
{
    kiln_dataset *d = make_data(0), *none = normalized(d, "none"), *unit = normalized(d, "unit"), *other, *wrong;
    kiln_trainer *t = new_trainer(d, "sgd");
    double plain[8], same[8], scaled[8];

    ck_assert_uint_le(kiln_trainer_measure_count(t), 8);
    ok(kiln_trainer_evaluate(t, d, 0, plain, &err));
    ok(kiln_trainer_evaluate(t, none, 7, same, &err));
    ok(kiln_trainer_evaluate(t, unit, 7, scaled, &err));
    ck_assert_double_eq_tol(plain[0], same[0], 1e-5);
    ck_assert(fabs(plain[0] - scaled[0]) > .1);
    ok(kiln_dataset_normalize(&other, d, "standardize", none, &err));
    kiln_dataset_free(other);
    expect(kiln_dataset_normalize(&wrong, d, "twice", NULL, &err), KILN_BAD_ARGUMENT, "kind 'twice'");
    ck_assert_ptr_null(wrong);
    kiln_trainer_free(t);
    kiln_dataset_free(unit);
    kiln_dataset_free(none);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(only_images_are_augmented)
{
    static const int64_t dims[] = { SAMPLES, 2 };
    kiln_dataset *d = make_data(0), *made;
    kiln_tensor *x, *y;

    expect(kiln_dataset_augment(NULL, d, "cval=0", &err), KILN_BAD_ARGUMENT, "out is NULL");
    expect(kiln_dataset_augment(&made, NULL, "cval=0", &err), KILN_BAD_ARGUMENT, "data is NULL");
    expect(kiln_dataset_augment(&made, d, NULL, &err), KILN_BAD_ARGUMENT, "keys is NULL");
    expect(kiln_dataset_augment(&made, d, "turn=1", &err), KILN_BAD_ARGUMENT, "has no option 'turn'");
    expect(kiln_dataset_augment(&made, d, "cval=0", &err), KILN_BAD_DATA,
           "a sample is float[2], augmentation needs images");
    ok(kiln_tensor_new(&x, KILN_FLOAT, 2, dims, NULL, &err));
    ok(kiln_tensor_new(&y, KILN_INT64, 1, dims, NULL, &err));
    kiln_dataset_free(d);
    ok(kiln_dataset_new_of(&d, (const kiln_column[]){ { "a", x }, { "b", x } }, 2, &(kiln_column){ "y", y }, 1, NULL,
                           &err));
    expect(kiln_dataset_augment(&made, d, "cval=0", &err), KILN_BAD_DATA, "2 inputs, augmentation needs one");
    ck_assert_ptr_null(made);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_dataset_free(d);
}
END_TEST

/* -- what does not fit -- */

static const struct {
    int64_t dims[2]; /* of what is to be predicted */
    double first, others;
    const char *says;
} misfits[] = {
    { { 4, 3 }, 1, 0, NULL },
    { { 4, 2 },
      1,
      0,
      "what is to be predicted are one-hot rows of 2 numbers, the model has 3 classes: they must have 3, or be labels "
      "from "
      "0 to 2" },
    { { 4, 5 }, 1, 0, "one-hot rows of 5 numbers, the model has 3 classes" },
    { { 4, 1 },
      -1,
      -1,
      "label -1 of sample 0: classes are whole numbers from 0, and the model and its loss need them, or float[?,3]" },
};

/* Before anybody is told of a loss. */
START_TEST(targets_that_do_not_fit_are_refused_at_once)
{
    static const int64_t dims[] = { 4, 2 };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_model *m = open_text(net);
    kiln_tensor *x, *y;
    kiln_trainer *t;
    kiln_dataset *d;
    float *values;

    ok(kiln_tensor_new(&x, KILN_FLOAT, 2, dims, NULL, &err));
    ok(kiln_tensor_new(&y, KILN_FLOAT, 2, misfits[_i].dims, NULL, &err));
    values = kiln_tensor_data(y);
    for (int64_t k = 0; k < 4 * misfits[_i].dims[1]; k++)
        values[k] = (float)(k % misfits[_i].dims[1] ? misfits[_i].others : misfits[_i].first);
    ok(kiln_dataset_new(&d, x, y, NULL, &err));
    o.data = d;
    if (misfits[_i].says)
        expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_DATA, misfits[_i].says);
    else
        ok(kiln_trainer_new(&t, m, &o, &err));
    kiln_trainer_free(t);
    kiln_dataset_free(d);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_model_free(m);
}
END_TEST

/* -- which outputs train -- */

#define ROWS_OF                                                                                                        \
    "net (float[N,2] x) => (float[N,3] y, float[N,3] z)\n"                                                             \
    "<float[2,3] w = {0.1, 0.2, -0.3, 0.4, -0.5, 0.6}> { y = MatMul (x, w) z = Relu (y) }"

static const struct {
    const char *metadata, *has, *asked, *trains, *says;
} decided[] = {
    { "", "yz", NULL, "yz", NULL },
    { ", metadata_props: [\"kiln.trains.z\": \"yes\"]", "yz", NULL, "z", NULL },
    { ", metadata_props: [\"kiln.trains.y\": \"yes\"]", "yz", NULL, "y", NULL },
    { ", metadata_props: [\"kiln.trains.y\": \"yes\", \"kiln.trains.z\": \"\"]", "yz", NULL, "yz", NULL },
    { ", metadata_props: [\"kiln.trains.q\": \"yes\"]", "yz", NULL, "yz", NULL },
    { ", metadata_props: [\"kiln.trains.z\": \"yes\"]", "yz", "y", "y", NULL },
    { ", metadata_props: [\"kiln.trains.z\": \"yes\"]", "z", NULL, "z", NULL },
    { ", metadata_props: [\"kiln.trains.z\": \"yes\"]", "y", "y", "y", NULL },
    { ", metadata_props: [\"kiln.trains.z\": \"yes\"]", "y", NULL, NULL,
      "the data have nothing to be predicted for output 'z', which trains, says the file (kiln.trains.z); what they "
      "have "
      "is for 'y': --train-output" },
};

START_TEST(the_file_says_which_outputs_train)
{
    static const int64_t dims[] = { 4, 2 }, wide[] = { 4, 3 };
    const kiln_target asked = { .output = decided[_i].asked };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_data_options of = KILN_DATA_OPTIONS_INIT;
    kiln_column columns[2];
    char text[500];
    kiln_tensor *x, *y;
    kiln_model *m;
    kiln_trainer *t;
    kiln_dataset *d;

    snprintf(text, sizeof text, "<ir_version: 8, opset_import: [\"\": 17]%s>\n" ROWS_OF, decided[_i].metadata);
    m = open_text(text);
    ok(kiln_tensor_new(&x, KILN_FLOAT, 2, dims, NULL, &err));
    ok(kiln_tensor_new(&y, KILN_FLOAT, 2, wide, NULL, &err));
    for (size_t k = 0; k < strlen(decided[_i].has); k++)
        columns[k] = (kiln_column){ decided[_i].has[k] == 'y' ? "y" : "z", y };
    of.model = m;
    ok(kiln_dataset_new_of(&d, &(kiln_column){ "x", x }, 1, columns, strlen(decided[_i].has), &of, &err));
    o.data = d;
    o.targets = &asked;
    o.target_count = decided[_i].asked != NULL;
    if (decided[_i].says)
        expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_DATA, decided[_i].says);
    else
        ok(kiln_trainer_new(&t, m, &o, &err));
    for (size_t k = 0; t && k < strlen(decided[_i].trains); k++)
        ck_assert(kiln_trainer_target_count(t) == strlen(decided[_i].trains) &&
                  *kiln_trainer_labels(t, k)->name == decided[_i].trains[k]);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
    kiln_model_free(m);
}
END_TEST

/* -- epochs -- */

struct watch {
    int steps, epochs;
    int64_t last_done;
    double first, last, validation;
    bool best, stop;
};

static bool on_step(void *user, const kiln_fit_step *s)
{
    struct watch *w = user;

    w->steps++;
    w->last_done = s->done;
    ck_assert(s->of == 15 && isfinite(s->loss) && isfinite(s->so_far[0]));
    return !w->stop;
}

static bool on_epoch(void *user, const kiln_epoch *e)
{
    struct watch *w = user;

    ck_assert_int_eq(e->number, ++w->epochs);
    w->first = w->epochs == 1 ? e->train[0] : w->first;
    w->last = e->train[0];
    w->validation = e->validation[0];
    w->best |= e->best;
    return true;
}

START_TEST(a_model_is_fitted)
{
    kiln_dataset *all = make_data(0), *d = normalized(all, "standardize"), *train, *check;
    kiln_trainer *t = new_trainer(d, "adam:learning_rate=0.05");
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    struct watch w = { 0 };
    double values[8];
    int64_t ran;

    ok(kiln_dataset_split(&train, &check, d, .25, &err));
    o.validation = check;
    o.batch = 4;
    o.epochs = 5;
    o.best = "val_loss";
    o.step = on_step;
    o.epoch = on_epoch;
    o.user = &w;
    ok(kiln_trainer_fit(t, train, &o, &ran, &err));
    ck_assert(ran == 5 && w.steps == 20 && w.epochs == 5 && w.last_done == 15 && w.best);
    ck_assert(w.last < w.first && isfinite(w.validation));
    ok(kiln_trainer_evaluate(t, check, 3, values, &err));
    ck_assert_double_eq_tol(values[0], w.validation, 1e-5);
    w.stop = true;
    expect(kiln_trainer_fit(t, train, &o, &ran, &err), KILN_STOPPED, "stopped");
    ck_assert_int_eq(ran, 0);
    o.step = NULL;
    o.epoch = NULL;
    o.epochs = 50;
    o.early_stop = "loss";
    o.patience = 0;
    ok(kiln_trainer_set_learning_rate(t, 0, &err));
    ok(kiln_trainer_fit(t, train, &o, &ran, &err));
    ck_assert_int_lt(ran, 50);
    kiln_trainer_free(t);
    kiln_dataset_free(train);
    kiln_dataset_free(check);
    kiln_dataset_free(d);
    kiln_dataset_free(all);
}
END_TEST

START_TEST(wrong_options_of_a_fit_are_refused)
{
    kiln_dataset *d = make_data(0);
    kiln_trainer *t = new_trainer(d, NULL);
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    double values[8];

    o.best = "val_loss";
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "needs validation data");
    o.best = "beauty";
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "metric 'beauty' is unknown");
    o.best = NULL;
    o.early_stop = "beauty";
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "metric 'beauty' is unknown");
    o.early_stop = NULL;
    o.epochs = -1;
    expect(kiln_trainer_fit(t, d, &o, NULL, &err), KILN_BAD_ARGUMENT, "epochs -1");
    expect(kiln_trainer_fit(t, NULL, NULL, NULL, &err), KILN_BAD_ARGUMENT, "data is NULL");
    expect(kiln_trainer_evaluate(t, d, -1, values, &err), KILN_BAD_ARGUMENT, "batch is -1");
    expect(kiln_trainer_evaluate(t, d, 1, NULL, &err), KILN_BAD_ARGUMENT, "values is NULL");
    ck_assert_str_eq(kiln_trainer_measure_name(t, 0), "loss");
    ck_assert_ptr_null(kiln_trainer_measure_name(t, kiln_trainer_measure_count(t)));
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

/* -- while training -- */

static kiln_trainer *with_options(kiln_trainer_options *o, const kiln_dataset *d, kiln_status need, const char *part)
{
    kiln_model *m = open_text(net);
    kiln_trainer *t;

    o->data = d;
    if (need == KILN_OK)
        ok(kiln_trainer_new(&t, m, o, &err));
    else
        expect(kiln_trainer_new(&t, m, o, &err), need, part);
    kiln_model_free(m);
    return t;
}

static bool note_rate(void *user, const kiln_epoch *e)
{
    *(double *)user = e->learning_rate;
    return true;
}

START_TEST(a_learning_rate_has_a_schedule)
{
    kiln_dataset *d = make_data(0);
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_fit_options f = KILN_FIT_OPTIONS_INIT;
    double rate = 0;
    kiln_trainer *t;

    o.optimizer = "sgd:learning_rate=0.5";
    o.schedule = "exponential_decay:decay_steps=1,decay_rate=0.5";
    t = with_options(&o, d, KILN_OK, NULL);
    ck_assert(kiln_trainer_learning_rate(t) == .5);
    expect(kiln_trainer_set_learning_rate(t, 1, &err), KILN_BAD_ARGUMENT, "is that of schedule 'exponential_decay'");
    f.batch = SAMPLES / 2;
    f.epoch = note_rate;
    f.user = &rate;
    ok(kiln_trainer_fit(t, d, &f, NULL, &err));
    ck_assert(rate == .125 && kiln_trainer_learning_rate(t) == .125);
    f.reduce_on_plateau = "loss";
    expect(kiln_trainer_fit(t, d, &f, NULL, &err), KILN_BAD_ARGUMENT, "cannot be reduced on a plateau");
    kiln_trainer_free(t);
    o.schedule = NULL;
    t = with_options(&o, d, KILN_OK, NULL);
    f.reduce_on_plateau = "loss:patience=1,factor=0.5,min_delta=100";
    f.epochs = 3;
    ok(kiln_trainer_fit(t, d, &f, NULL, &err));
    ck_assert(rate == .25 && kiln_trainer_learning_rate(t) == .125);
    f.reduce_on_plateau = "val_loss";
    expect(kiln_trainer_fit(t, d, &f, NULL, &err), KILN_BAD_ARGUMENT, "'val_loss' needs validation data");
    ck_assert(kiln_trainer_learning_rate(t) == .125);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

/* The penalty is in the loss that is trained, and in the one that is measured. */
START_TEST(parameters_are_regularized)
{
    static const kiln_regularizer g[] = { { "w", "l1:1", false }, { "z", "l2:0", true } };
    static const kiln_rate_factor slow = { "?", 1e-3 };
    kiln_dataset *all = make_data(0), *d = normalized(all, "standardize");
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    double plain[8], penalised[8];
    kiln_trainer *t = with_options(&o, d, KILN_OK, NULL);
    kiln_tensor *w;

    ok(kiln_trainer_evaluate(t, d, 0, plain, &err));
    kiln_trainer_free(t);
    o.regularizers = g;
    o.regularizer_count = 2;
    o.rate_factors = &slow;
    o.rate_factor_count = 1;
    o.optimizer = "sgd:learning_rate=1";
    t = with_options(&o, d, KILN_OK, NULL);
    ok(kiln_trainer_evaluate(t, d, 0, penalised, &err));
    ck_assert_double_eq_tol(penalised[0] - plain[0], 2.1, 1e-5);
    ok(kiln_trainer_fit(t, d, NULL, NULL, &err));
    ok(kiln_trainer_get(&w, t, "w", NULL, &err));
    ck_assert_float_eq_tol(floats_of(w)[5], .599f, 5e-4f);
    kiln_tensor_free(w);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
    kiln_dataset_free(all);
}
END_TEST

START_TEST(wrong_regularizers_and_factors_are_refused)
{
    kiln_regularizer g = { "w", "l2", false };
    kiln_rate_factor f = { "w", 0 };
    kiln_dataset *d = make_data(0);
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;

    o.regularizer_count = 1;
    with_options(&o, d, KILN_BAD_ARGUMENT, "regularizers is NULL, must hold 1");
    o.regularizers = &g;
    g.regularizer = NULL;
    with_options(&o, d, KILN_BAD_ARGUMENT, "regularizer 0 has no name");
    g.pattern = NULL;
    with_options(&o, d, KILN_BAD_ARGUMENT, "regularizer 0 has no pattern");
    g = (kiln_regularizer){ "v", "l2", false };
    with_options(&o, d, KILN_BAD_ARGUMENT, "'v' names no parameter that trains");
    o.regularizer_count = 0;
    o.rate_factor_count = 1;
    with_options(&o, d, KILN_BAD_ARGUMENT, "rate_factors is NULL, must hold 1");
    o.rate_factors = &f;
    for (int k = 0; k < 5; k++) {
        f.factor = (const double[]){ 0, -1, 1e7, 1e-60, (double)NAN }[k];
        with_options(&o, d, KILN_BAD_ARGUMENT, "the rate factor of 'w' is ");
    }
    f.pattern = NULL;
    with_options(&o, d, KILN_BAD_ARGUMENT, "rate factor 0 has no pattern");
    kiln_dataset_free(d);
}
END_TEST

START_TEST(a_trainer_predicts)
{
    const int64_t dims[] = { 2, 2 }, labels[] = { 2 };
    const float x[] = { 1, 0, 0, 1 };
    kiln_dataset *d = make_data(0);
    kiln_trainer *t = new_trainer(d, "sgd:learning_rate=0.5");
    kiln_tensor *in = floats(2, dims, x), *y, *before;
    double values[8];

    ck_assert_ptr_null(kiln_trainer_output(t, 0));
    ok(kiln_trainer_predict(t, in, &err));
    ck_assert_float_eq_tol(floats_of(kiln_trainer_output(t, 1))[1], .3f, 1e-6); /* .2 + .1 */
    ck_assert_float_eq_tol(floats_of(kiln_trainer_output(t, 1))[5], .8f, 1e-6);
    ck_assert_ptr_null(kiln_trainer_output(t, 2));
    ok(kiln_tensor_copy(&before, kiln_trainer_output(t, 0), &err));
    ok(kiln_tensor_new(&y, KILN_INT64, 1, labels, NULL, &err));
    ok(kiln_trainer_step(t, in, y, NULL, &err));
    ck_assert_ptr_null(kiln_trainer_output(t, 0));
    ok(kiln_trainer_predict(t, in, &err));
    ck_assert_float_gt(floats_of(kiln_trainer_output(t, 0))[0], floats_of(before)[0]); /* label 0 was taught */
    ok(kiln_trainer_evaluate(t, d, 0, values, &err));
    ck_assert_ptr_null(kiln_trainer_output(t, 0)); /* until the next call, whichever it is */
    expect(kiln_trainer_predict(t, y, &err), KILN_BAD_DATA, "samples are int64[2]");
    ck_assert_ptr_null(kiln_trainer_output(t, 0));
    expect(kiln_trainer_predict(t, NULL, &err), KILN_BAD_ARGUMENT, "x is NULL");
    kiln_tensor_free(in);
    kiln_tensor_free(y);
    kiln_tensor_free(before);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

START_TEST(parameters_are_read_and_written)
{
    const int64_t dims[] = { 1, 2 }, one = 1, three = 3;
    const float x[] = { 1, 2 }, numbers[] = { 7, 8, 9 };
    kiln_dataset *d = make_data(0);
    kiln_trainer *t = new_trainer(d, "adam");
    kiln_tensor *in = floats(2, dims, x), *b = floats(1, &three, numbers), *y, *got;

    expect(kiln_trainer_get(&got, t, "b", "gradient", &err), KILN_BAD_ARGUMENT, "there was no step yet");
    ok(kiln_tensor_new(&y, KILN_INT64, 1, &one, NULL, &err));
    ok(kiln_trainer_step(t, in, y, NULL, &err));
    ok(kiln_trainer_get(&got, t, "b", "gradient", &err));
    ck_assert(floats_of(got)[0] < 0 && floats_of(got)[1] > 0); /* towards the label */
    ck_assert_float_eq_tol(floats_of(got)[0] + floats_of(got)[1] + floats_of(got)[2], 0, 1e-6);
    kiln_tensor_free(got);
    ok(kiln_trainer_set(t, "b", NULL, b, &err));
    ok(kiln_trainer_get(&got, t, "b", "value", &err));
    ck_assert_float_eq(floats_of(got)[2], 9);
    kiln_tensor_free(got);
    ok(kiln_trainer_predict(t, in, &err)); /* it counts from now on */
    ck_assert_float_gt(floats_of(kiln_trainer_output(t, 1))[2], 8);
    expect(kiln_trainer_get(&got, t, "b", "speed", &err), KILN_BAD_ARGUMENT, "has no 'speed', it has value, ");
    expect(kiln_trainer_get(&got, t, "nobody", NULL, &err), KILN_BAD_ARGUMENT, "no parameter or statistic 'nobody'");
    expect(kiln_trainer_set(t, "b", "gradient", b, &err), KILN_BAD_ARGUMENT, "cannot be set");
    expect(kiln_trainer_set(t, "w", NULL, b, &err), KILN_BAD_ARGUMENT,
           "parameter 'w' is float[2,3], the tensor float[3]");
    ck_assert_ptr_null(got);
    kiln_tensor_free(in);
    kiln_tensor_free(y);
    kiln_tensor_free(b);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

static void expect_floats(kiln_trainer *t, const char *name, const char *what, const float *want, size_t count,
                          bool same)
{
    kiln_tensor *got;

    ok(kiln_trainer_get(&got, t, name, what, &err));
    ck_assert_msg((memcmp(floats_of(got), want, count * sizeof *want) == 0) == same, "%s of '%s'",
                  what ? what : "value", name);
    kiln_tensor_free(got);
}

START_TEST(decay_leaves_out_what_is_named)
{
    static const char *const names[] = { "b" }, *const bad[] = { "c*" }, *const none[] = { NULL };
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    const int64_t dims[] = { 1, 2 }, one = 1;
    const float x[] = { 0, 0 }, w[] = { .1f, .2f, -.3f, .4f, -.5f, .6f };
    kiln_tensor *in = floats(2, dims, x), *y, *b;
    kiln_model *m = open_text(net);
    float before[3], decayed[6];
    kiln_trainer *t;

    o.optimizer = "sgd:learning_rate=1,weight_decay=0.5";
    o.exclude_from_weight_decay = bad;
    o.exclude_from_weight_decay_count = 1;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT, "'c*' names no trainable parameter");
    o.exclude_from_weight_decay = none;
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT, "exclude_from_weight_decay[0] is NULL");
    o.exclude_from_weight_decay = names;
    o.optimizer = "adam";
    expect(kiln_trainer_new(&t, m, &o, &err), KILN_BAD_ARGUMENT,
           "'b' is excluded from weight decay, but optimizer 'adam' has weight_decay=0");
    o.optimizer = "sgd:learning_rate=1,weight_decay=0.5";
    o.keep_gradients = true;
    ok(kiln_trainer_new(&t, m, &o, &err));
    ok(kiln_tensor_new(&y, KILN_INT64, 1, &one, NULL, &err));
    ok(kiln_trainer_get(&b, t, "b", NULL, &err));
    memcpy(before, floats_of(b), sizeof before);
    kiln_tensor_free(b);
    ok(kiln_trainer_step(t, in, y, NULL, &err));
    for (int k = 0; k < 6; k++)
        decayed[k] = w[k] - w[k] * .5f;
    expect_floats(t, "w", NULL, decayed, 6, true); /* its gradient is 0, as x is */
    ok(kiln_trainer_get(&b, t, "b", "gradient", &err));
    for (int k = 0; k < 3; k++)
        before[k] -= floats_of(b)[k];
    kiln_tensor_free(b);
    expect_floats(t, "b", NULL, before, 3, true);
    kiln_tensor_free(in);
    kiln_tensor_free(y);
    kiln_model_free(m);
    kiln_trainer_free(t);
}
END_TEST

/* When fit ends, or when asked. */
START_TEST(averages_are_taken_over)
{
    const int64_t dims[] = { 1, 2 }, one = 1;
    const float x[] = { 1, 2 };
    kiln_fit_options f = KILN_FIT_OPTIONS_INIT;
    kiln_dataset *d = make_data(0);
    kiln_trainer *t = new_trainer(d, "sgd:use_ema=1,ema_momentum=0.5");
    kiln_tensor *in = floats(2, dims, x), *y, *average;

    expect(kiln_trainer_finalize(NULL, &err), KILN_BAD_ARGUMENT, "trainer is NULL");
    ok(kiln_tensor_new(&y, KILN_INT64, 1, &one, NULL, &err));
    for (int k = 0; k < 2; k++)
        ok(kiln_trainer_step(t, in, y, NULL, &err));
    ok(kiln_trainer_get(&average, t, "b", "moving_average", &err));
    expect_floats(t, "b", NULL, floats_of(average), 3, false);
    ok(kiln_trainer_finalize(t, &err));
    expect_floats(t, "b", NULL, floats_of(average), 3, true);
    kiln_tensor_free(average);
    f.epochs = 2;
    f.batch = 4;
    ok(kiln_trainer_fit(t, d, &f, NULL, &err));
    ok(kiln_trainer_get(&average, t, "b", "moving_average", &err));
    expect_floats(t, "b", NULL, floats_of(average), 3, true);
    kiln_tensor_free(average);
    kiln_tensor_free(in);
    kiln_tensor_free(y);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

static bool count_each(void *user, const kiln_time *t)
{
    *(int *)user += t->calls > 0;
    return true;
}

START_TEST(a_trainer_tells_of_itself)
{
    char folder[] = "/tmp/kiln-XXXXXX", path[64];
    kiln_dataset *d = make_data(0);
    kiln_trainer *t = new_trainer(d, "sgd:learning_rate=0.25");
    kiln_fit_options o = KILN_FIT_OPTIONS_INIT;
    struct bytes b = { 0 };
    kiln_model *m;
    size_t most;
    int count = 0;

    ck_assert_str_eq(kiln_trainer_optimizer(t), "sgd");
    ck_assert_double_eq(kiln_trainer_learning_rate(t), .25);
    ck_assert(kiln_trainer_input(t, 0)->rank == 2 && kiln_trainer_input(t, 0)->dims[0] == KILN_ANY);
    ck_assert(kiln_trainer_labels(t, 0)->dtype == KILN_INT64 && kiln_trainer_labels(t, 0)->rank == 1);
    ck_assert_str_eq(kiln_role_name(kiln_trainer_parameter(t, 0)->role), "trainable");
    ck_assert_str_eq(kiln_role_name((kiln_role)9), "");
    ck_assert_uint_gt(kiln_trainer_memory(t, &most), 0);
    ok(kiln_trainer_plan(t, 6, take, &b, &err));
    expect_text(&b, "float[6,3]");
    expect(kiln_trainer_plan(t, 0, take, &b, &err), KILN_BAD_ARGUMENT, "batch is 0");
    expect(kiln_trainer_trace(t, take, &b, &err), KILN_BAD_ARGUMENT, "no profile");
    ok(kiln_trainer_set_profile(t, true, &err));
    ok(kiln_trainer_fit(t, d, &o, NULL, &err));
    ok(kiln_trainer_times(t, true, count_each, &count, &err));
    ck_assert_int_gt(count, 0);
    ok(kiln_trainer_trace(t, take, &b, &err));
    expect_text(&b, "MatMul");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/m.onnxtxt", folder);
    ok(kiln_trainer_save(t, path, KILN_FORM_BY_NAME, &err));
    ok(kiln_model_open(&m, path, NULL, &err));
    expect(kiln_trainer_save(t, path, KILN_FORM_BRIEF, &err), KILN_BAD_ARGUMENT, "form 3");
    kiln_model_free(m);
    unlink(path);
    rmdir(folder);
    kiln_trainer_free(t);
    kiln_dataset_free(d);
}
END_TEST

/* -- looking at models -- */

START_TEST(a_summary_tells_what_a_model_is_made_of)
{
    kiln_model *m = open_text(net);
    struct bytes b = { 0 };
    kiln_summary *s;

    ok(kiln_summary_new(&s, m, &err));
    ck_assert_uint_eq(kiln_summary_layer_count(s), 3);
    ck_assert_str_eq(kiln_summary_layer(s, 0)->op, "MatMul");
    ck_assert_str_eq(kiln_summary_layer(s, 0)->type, "float[N,3]");
    ck_assert_int_eq(kiln_summary_layer(s, 0)->trainable, 6);
    ck_assert_uint_eq(kiln_summary_layer(s, 1)->inputs, 2);
    ck_assert_str_eq(kiln_summary_layer(s, 1)->input[0], kiln_summary_layer(s, 0)->output[0]);
    ck_assert_str_eq(kiln_summary_layer(s, 1)->input[1], "b");
    ck_assert_uint_eq(kiln_summary_layer(s, 1)->outputs, 1);
    ck_assert_ptr_null(kiln_summary_layer(s, 3));
    ck_assert_uint_eq(kiln_summary_parameter_count(s), 2);
    ck_assert_str_eq(kiln_summary_parameter(s, 1)->name, "b");
    ck_assert_ptr_null(kiln_summary_parameter(s, 2));
    ck_assert_int_eq(kiln_summary_trainable(s), 9);
    ck_assert_int_eq(kiln_summary_fixed(s), 0);
    ck_assert_uint_eq(kiln_summary_obstacle_count(s), 0);
    ck_assert_ptr_null(kiln_summary_obstacle(s, 0));
    ck_assert_str_eq(kiln_summary_input_type(s, 0), "float[N,2]");
    ck_assert_str_eq(kiln_summary_output_type(s, 1), "float[N,3]");
    ck_assert_ptr_null(kiln_summary_output_type(s, 2));
    ok(kiln_summary_write_json(s, take, &b, &err));
    expect_text(&b, "\"operator\": \"MatMul\"");
    ok(kiln_summary_write_dot(s, take, &b, &err));
    expect_text(&b, "float[N,3]");
    kiln_summary_free(s);
    kiln_model_free(m);
    expect(kiln_summary_new(&s, NULL, &err), KILN_BAD_ARGUMENT, "model is NULL");
    kiln_summary_free(NULL);
}
END_TEST

/* None is left out, whatever graph it is in. */
START_TEST(constants_of_bodies_are_listed)
{
    kiln_model *m =
        open_text("<ir_version: 8, opset_import: [\"\": 17]>\n"
                  "g (float[N,2] x, bool c) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}, bool yes = {1}> {\n"
                  "    z = MatMul (x, w)\n"
                  "    y = If (c) <then_branch = t () => (float[N,2] a) <float[2] shift = {1, 2}, int64 n = {3}> {\n"
                  "        a = If (yes) <then_branch = u () => (float[N,2] d) <float[2] deeper = {1, 2}> { d = Add (z, "
                  "deeper) },\n"
                  "                      else_branch = v () => (float[N,2] e) { e = Add (z, shift) }> },\n"
                  "    else_branch = f () => (float[N,2] b) { b = Neg (z) }>\n}");
    static const char *const names[] = { "w", "shift", "deeper" };
    kiln_summary *s;

    ok(kiln_summary_new(&s, m, &err));
    ck_assert_uint_eq(kiln_summary_parameter_count(s), 3);
    for (size_t k = 0; k < 3; k++) {
        const kiln_parameter *p = kiln_summary_parameter(s, k);

        ck_assert_str_eq(p->name, names[k]);
        ck_assert_int_eq(p->role, k ? KILN_CONSTANT : KILN_TRAINABLE);
        ck_assert_str_eq(p->why, k ? "in a body of If, where nothing trains" : "weight of MatMul");
    }
    ck_assert_int_eq(kiln_summary_trainable(s), 4);
    kiln_summary_free(s);
    kiln_model_free(m);
}
END_TEST

/* Scan is a loop whose body takes its elements by itself: nothing of that is in the file. */
START_TEST(layers_are_those_of_the_file)
{
    static const char *const ops[] = { "Scan", "MatMul", "Tanh", "Relu" };
    kiln_model *m = open_text(
        "<ir_version: 8, opset_import: [\"\": 17]>\n"
        "g (float[N,2] h, float[3,N,2] x) => (float[N,2] y) <float[2,2] w = {1, 2, 3, 4}> {\n"
        "    s, a = Scan <num_scan_inputs = 1, scan_input_directions = [1], scan_output_axes = [1], body = b (p, "
        "e) => (r, p) { q = MatMul (e, w) r = Tanh (q) }> (h, x)\n    y = Relu (s)\n}");
    kiln_summary *s;

    ok(kiln_summary_new(&s, m, &err));
    ck_assert_uint_eq(kiln_summary_layer_count(s), 4);
    for (size_t k = 0; k < 4; k++)
        ck_assert_str_eq(kiln_summary_layer(s, k)->op, ops[k]);
    ck_assert_int_eq(kiln_summary_layer(s, 0)->since, 16);
    ck_assert_int_eq(kiln_summary_layer(s, 1)->depth, 1);
    ck_assert_int_eq(kiln_summary_layer(s, 1)->trainable, 4);
    ck_assert_int_eq(kiln_summary_trainable(s), 4);
    kiln_summary_free(s);
    kiln_model_free(m);
}
END_TEST

START_TEST(a_partial_model_has_a_summary)
{
    static const char odd[] = "<ir_version: 8, opset_import: [\"\": 17, \"nobody\": 1]>\n"
                              "odd (float[N,2] x) => (float[M,2] y) <float[2] w = {1, 2}> {\n"
                              "    h = nobody.Strange(x) i = nobody.Strange(h) y = Mul(i, w)\n}";
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;
    struct bytes b = { 0 };
    kiln_summary *s;
    kiln_model *m;

    o.partial = true;
    ok(kiln_model_open_memory(&m, odd, strlen(odd), &o, &err));
    ck_assert_uint_eq(kiln_model_problem_count(m), 1);
    ck_assert_int_eq(kiln_model_problem(m, 0)->times, 2);
    ck_assert_int_eq(kiln_model_problem(m, 0)->code, KILN_UNSUPPORTED);
    ck_assert_ptr_null(kiln_model_problem(m, 1));
    ok(kiln_summary_new(&s, m, &err));
    ck_assert_uint_eq(kiln_summary_layer_count(s), 3);
    ck_assert_str_eq(kiln_summary_layer(s, 1)->type, "?");
    ck_assert_str_eq(kiln_summary_layer(s, 1)->input[0], "h");
    ck_assert_str_eq(kiln_summary_layer(s, 1)->output[0], "i");
    ck_assert_str_eq(kiln_summary_output_type(s, 0), "float[M,2]");
    ck_assert_int_eq(kiln_summary_trainable(s), 2);
    ok(kiln_summary_write_json(s, take, &b, &err));
    expect_text(&b, "\"times\": 2");
    expect(kiln_summary_write_dot(s, take, &b, &err), KILN_UNSUPPORTED, "Strange");
    kiln_summary_free(s);
    kiln_model_free(m);
}
END_TEST

/* -- what there is -- */

struct listing {
    int count;
    bool relu, newest_first;
    int last_since;
    char last[64];
};

static bool list(void *user, const kiln_operator *op)
{
    struct listing *l = user;

    l->count++;
    l->relu |= strcmp(op->name, "Relu") == 0 && op->differentiable && !op->no_gradient;
    l->newest_first &= strcmp(op->name, l->last) != 0 || op->since < l->last_since;
    l->last_since = op->since;
    snprintf(l->last, sizeof l->last, "%s", op->name);
    return true;
}

static bool only_one(void *user, const kiln_operator *op)
{
    (void)op;
    ++*(int *)user;
    return false;
}

START_TEST(operators_are_listed)
{
    struct listing l = { .newest_first = true };
    struct bytes b = { 0 };
    int one = 0;

    kiln_operators(list, &l);
    ck_assert(l.count > 100 && l.relu && l.newest_first);
    kiln_operators(only_one, &one);
    ck_assert_int_eq(one, 1);
    kiln_operators(NULL, NULL);
    ok(kiln_operators_write(take, &b, &err));
    expect_text(&b, "\"tensor(float)\"");
    expect(kiln_operators_write(NULL, NULL, &err), KILN_BAD_ARGUMENT, "write is NULL");
}
END_TEST

START_TEST(tables_are_written)
{
    static const struct {
        kiln_table table;
        const char *name;
    } rows[] = { { KILN_FORMATS, "csv:FILE" },
                 { KILN_INITIALIZERS, "glorot_uniform" },
                 { KILN_LOSSES, "mean_squared_error" },
                 { KILN_METRICS, "accuracy" },
                 { KILN_OPTIMIZERS, "adam" },
                 { KILN_SCHEDULES, "cosine_decay" },
                 { KILN_PLATEAU, "METRIC" },
                 { KILN_REGULARIZERS, "orthogonal_regularizer" },
                 { KILN_AUGMENTATION, "rotation_range" } };
    struct bytes b = { 0 };

    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (int help = 0; help < 2; help++) {
            ok(kiln_table_write(rows[k].table, help, take, &b, &err));
            ck_assert_int_eq(!strchr(b.data, '\n'), !help);
            ck_assert(!strstr(b.data, "options of each") == !(help && rows[k].table == KILN_OPTIMIZERS));
            expect_text(&b, rows[k].name);
        }
    expect(kiln_table_write((kiln_table)9, false, take, &b, &err), KILN_BAD_ARGUMENT, "table 9");
    expect(kiln_table_write(KILN_LOSSES, false, NULL, &b, &err), KILN_BAD_ARGUMENT, "write is NULL");
}
END_TEST

Suite *suite(void)
{
    Suite *s = suite_create("api_learn");

    add_test(s, a_data_set_is_made_of_tensors);
    add_test(s, a_data_set_is_read_from_a_file);
    add_test(s, a_part_validates);
    add_test(s, samples_are_normalised);
    add_test(s, only_images_are_augmented);
    add_test(s, a_model_is_fitted);
    add_test(s, wrong_options_of_a_fit_are_refused);
    add_test(s, a_learning_rate_has_a_schedule);
    add_test(s, parameters_are_regularized);
    add_test(s, wrong_regularizers_and_factors_are_refused);
    add_test(s, a_trainer_predicts);
    add_test(s, parameters_are_read_and_written);
    add_test(s, decay_leaves_out_what_is_named);
    add_test(s, averages_are_taken_over);
    add_test(s, a_trainer_tells_of_itself);
    add_test(s, a_summary_tells_what_a_model_is_made_of);
    add_tests(s, targets_that_do_not_fit_are_refused_at_once, sizeof misfits / sizeof *misfits);
    add_tests(s, the_file_says_which_outputs_train, sizeof decided / sizeof *decided);
    add_test(s, constants_of_bodies_are_listed);
    add_test(s, layers_are_those_of_the_file);
    add_test(s, a_partial_model_has_a_summary);
    add_test(s, operators_are_listed);
    add_test(s, tables_are_written);
    return s;
}
