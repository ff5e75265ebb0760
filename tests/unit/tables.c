/* The tables of what can be asked for by name, and the contracts of their rows: two losses of emitted nodes and two
 * optimisers without kernels stand in the tables of this test beside those that there are. */
#include "comma.h"
#include "data/format.h"
#include "learning.h"
#include "scratch.h"
#include "train/fit.h"
#include "train/initialise.h"
#include "train/initialisers.h"
#include "train/losses/registry.h"
#include "train/optimizers/registry.h"
#include "unit.h"
#include <math.h>

/* -- losses of nodes -- */

struct weighted {
    double weight;
};

/* mean_squared_error once more. */
static struct value *emit_squared(struct emitter *e, const struct loss_nodes *n)
{
    const struct weighted *s = n->settings;
    struct value *d = emit(e, "Sub", "", 2, n->y_pred, n->y_true);

    return emit(e, "Mul", "", 2, emit(e, "Mul", "", 2, d, d), emit_scalar(e, F32, s->weight));
}

static const struct loss_def squared_nodes = {
    .row = { "squared_nodes", "mean_squared_error",
             (const struct spec_option[]){ { SPEC_FIELD(struct weighted, weight), "of it", .high = 10, .fallback = 1 },
                                           { 0 } } },
    .settings_size = sizeof(struct weighted),
    .labels = LABELS_NUMBERS,
    .emit = emit_squared,
};

struct classes {
    bool from_logits;
};

/* sparse_categorical_crossentropy of logits once more. */
static struct value *emit_classes(struct emitter *e, const struct loss_nodes *n)
{
    ck_assert(n->logits);
    return emit(e, "SoftmaxCrossEntropyLoss", "reduction='none'", 2, n->y_pred, n->y_true);
}

static const struct loss_def classes_nodes = {
    .row = { "classes_nodes", "sparse_categorical_crossentropy",
             (const struct spec_option[]){ FROM_LOGITS(struct classes), { 0 } } },
    .settings_size = sizeof(struct classes),
    .labels = LABELS_CLASSES,
    .activation = ACTIVATION_SOFTMAX,
    .emit = emit_classes,
};

/* In place of the library's. */
const struct loss_def *const loss_registry[] = { &loss_binary_crossentropy,
                                                 &loss_categorical_crossentropy,
                                                 &classes_nodes,
                                                 &loss_mean_squared_error,
                                                 &loss_sparse_categorical_crossentropy,
                                                 &squared_nodes,
                                                 NULL };

/* -- optimisers without kernels -- */

struct decayed {
    double learning_rate, decay;
    bool counted, twice;
};

static float by_step(const void *settings, float learning_rate, int64_t step)
{
    (void)settings;
    return learning_rate / (float)step;
}

/* Decay goes by the learning rate, the gradient by what the step makes of it; a slot counts the steps. */
static bool apply_decayed(const struct update *u)
{
    const struct decayed *s = u->settings;
    float *const count = u->slots[1];

    ck_assert(!u->slots[0] && !count == !s->counted && !u->prepared);
    for (int64_t k = 0; k < u->n; k++) {
        u->w[k] -= u->learning_rate * (float)s->decay * u->w[k] + u->rate * u->g[k];
        if (count)
            count[k] += 1;
        ck_assert(!count || count[k] == (float)u->step);
    }
    return all_finite(u->w, u->n);
}

static const struct optimizer_def decayed = {
    .row = { "decayed", "decay apart from the rate",
             (const struct spec_option[]){
                 LEARNING_RATE(struct decayed, .5),
                 { SPEC_FIELD(struct decayed, decay), "of the weights", SPEC_BELOW, .high = 1 },
                 { SPEC_FIELD(struct decayed, counted), "count the steps", SPEC_FLAG },
                 { SPEC_FIELD(struct decayed, twice), "never asked for", SPEC_FLAG },
                 { 0 } } },
    .title = "Decayed",
    .settings_size = sizeof(struct decayed),
    .slots = { { .name = "never", .needed_by = "twice" }, { .name = "count", .needed_by = "counted" } },
    .rate = by_step,
    .apply = apply_decayed,
};

struct by_norm {
    double learning_rate;
};

struct norm {
    double of_gradient;
    int64_t elements;
};

static void prepare_norm(const struct update *u, void *prepared)
{
    struct norm *norm = prepared;

    *norm = (struct norm){ .elements = u->n };
    for (int64_t k = 0; k < u->n; k++)
        norm->of_gradient += (double)u->g[k] * (double)u->g[k];
    norm->of_gradient = sqrt(norm->of_gradient);
}

static bool apply_by_norm(const struct update *u)
{
    const struct norm *norm = u->prepared;

    ck_assert_int_ge(norm->elements, u->n);
    for (int64_t k = 0; k < u->n; k++)
        u->w[k] -= (float)((double)u->rate * (double)u->g[k] / norm->of_gradient);
    return all_finite(u->w, u->n);
}

static const struct optimizer_def by_norm = {
    .row = { "by_norm", "as far as the learning rate says",
             (const struct spec_option[]){ LEARNING_RATE(struct by_norm, 1), { 0 } } },
    .title = "ByNorm",
    .settings_size = sizeof(struct by_norm),
    .prepared_size = sizeof(struct norm),
    .prepare = prepare_norm,
    .apply = apply_by_norm,
};

const struct optimizer_def *const optimizer_registry[] = { &optimizer_adam,    &by_norm,       &decayed,
                                                           &optimizer_rmsprop, &optimizer_sgd, NULL };

/* -- what every row must say -- */

static void expect_options(const struct spec_row *row)
{
    for (const struct spec_option *o = row->options; o && o->key; o++) {
        ck_assert_msg(o->help && *o->help, "%s: %s has no help", row->name, o->key);
        if (o->kind == SPEC_ALIAS) {
            ck_assert_msg(!spec_option_of(row, o->key) && spec_is(row, o->key), "%s: %s", row->name, o->key);
            continue;
        }
        ck_assert_msg(spec_option_of(row, o->key) == o, "%s: %s is there twice", row->name, o->key);
        if (o->kind == SPEC_WORD) {
            ck_assert_msg(o->words && o->words[0] && o->words[1] && o->fallback == 0, "%s: %s", row->name, o->key);
            continue;
        }
        if (isnan(o->fallback) || o->kind == SPEC_TEXT) /* nothing is said then */
            continue;
        if (o->kind == SPEC_FLAG)
            ck_assert_msg(o->fallback == 0 || o->fallback == 1, "%s: %s", row->name, o->key);
        else if (o->kind == SPEC_WORD)
            ck_assert_msg(o->words && o->words[0] && o->words[(int)o->fallback], "%s: %s", row->name, o->key);
        else if (o->absent || o->kind == SPEC_LIST)
            ck_assert_msg(o->low < o->high && o->fallback == 0, "%s: %s", row->name, o->key);
        else if (o->kind != SPEC_VALUE)
            ck_assert_msg(o->fallback >= o->low && o->fallback <= o->high && o->low < o->high,
                          "%s: %s is %g where nothing is said", row->name, o->key, o->fallback);
    }
}

START_TEST(rows_are_complete)
{
    static spec_table *const tables[] = { optimizer_table, loss_table,        metric_table,   initialiser_table,
                                          format_table,    regularizer_table, schedule_table, plateau_table };
    size_t k = 0;

    for (; tables[_i](k); k++) {
        const struct spec_row *row = tables[_i](k);

        ck_assert(row->name && *row->name && row->help && *row->help);
        ck_assert_msg(strcspn(row->name, ":,=[{ ") == strlen(row->name), "'%s' cannot be asked for", row->name);
        for (size_t i = 0; i < k; i++) { /* no name is another's, too */
            const struct spec_row *other = tables[_i](i);

            ck_assert_msg(!spec_is(other, row->name) && !spec_is(row, other->name), "%s", row->name);
            for (const struct spec_option *o = other->options; o && o->key; o++)
                ck_assert_msg(o->kind != SPEC_ALIAS || !spec_is(row, o->key), "%s: %s", row->name, o->key);
        }
        expect_options(row);
    }
    ck_assert_uint_gt(k, 0);
}
END_TEST

START_TEST(optimisers_say_what_a_trainer_needs)
{
    for (size_t k = 0; optimizer_registry[k]; k++) {
        const struct optimizer_def *d = optimizer_registry[k];
        const struct spec_option *rate = spec_option_of(&d->row, "learning_rate");

        ck_assert_msg(rate && rate->kind == SPEC_NUMBER && rate->high == MOST_RATE && rate->fallback > 0, "%s",
                      d->row.name);
        ck_assert(d->title && d->apply && d->settings_size && !d->prepare == !d->prepared_size);
        ck_assert(!d->prepare || !d->apply_double || d->prepare_double);
        for (int s = 0; s < OWN_SLOTS; s++)
            ck_assert_msg(!d->slots[s].needed_by || spec_option_of(&d->row, d->slots[s].needed_by), "%s: slot '%s'",
                          d->row.name, d->slots[s].name);
    }
}
END_TEST

/* Whatever a model and its data look like, one loss wants them; so the order of the table does not matter. */
START_TEST(one_loss_is_guessed)
{
    for (size_t k = 0; loss_registry[k]; k++) {
        const struct loss_def *d = loss_registry[k];

        ck_assert_msg(!d->rows != !d->emit, "%s", d->row.name);
        ck_assert_msg(!d->activation == !spec_option_of(&d->row, "from_logits"), "%s", d->row.name);
    }
    for (int k = 0; k < 3 * 16; k++) {
        const struct loss_clues c = { .activation = (enum activation)(k >> 4),
                                      .named_logits = k & 1 && !(k >> 4),
                                      .label_classes = k & 2,
                                      .one_for_each_class = k & 4 && k & 2 && k & 8 && !(k & 1) && !(k >> 4),
                                      .width = k & 8 ? 3 : 1 };
        int guessed = 0;

        for (size_t i = 0; loss_registry[i]; i++)
            guessed += loss_registry[i]->guess && loss_registry[i]->guess(&c);
        ck_assert_msg(guessed == 1, "%d losses are guessed for %d", guessed, k);
    }
}
END_TEST

START_TEST(formats_say_where)
{
    for (size_t k = 0; format_registry[k]; k++)
        ck_assert(format_registry[k]->where && format_registry[k]->open && format_registry[k]->classes >= 0);
}
END_TEST

START_TEST(schedules_and_regularisers_say_what_a_trainer_needs)
{
    for (size_t k = 0; schedule_registry[k]; k++)
        ck_assert(schedule_registry[k]->rate && schedule_registry[k]->settings_size);
    for (size_t k = 0; regularizer_registry[k]; k++)
        ck_assert(regularizer_registry[k]->emit && regularizer_registry[k]->settings_size);
}
END_TEST

/* -- options of all kinds -- */

struct kinds {
    double needed, unsaid, whole, word;
    struct spec_list list;
};

static const char *const colours[] = { "red", "green", NULL };
static const struct spec_row kinds = {
    "kinds", "of options",
    (const struct spec_option[]){
        { SPEC_FIELD(struct kinds, needed), "first", .high = 9, .absent = SPEC_NEEDED, .bare = true },
        { SPEC_FIELD(struct kinds, unsaid), "second", .high = 9, .absent = SPEC_UNSAID },
        { SPEC_FIELD(struct kinds, whole), "third", SPEC_WHOLE, .high = 9, .fallback = 4 },
        { SPEC_FIELD(struct kinds, word), "fourth", SPEC_WORD, .fallback = 1, .words = colours },
        { SPEC_FIELD(struct kinds, list), "fifth", SPEC_LIST, .low = -9, .high = 9 },
        { 0 } }
};

static const struct spec_row *kinds_table(size_t k)
{
    return k ? NULL : &kinds;
}

START_TEST(options_are_of_kinds)
{
    static const char *const wrong[][2] = {
        { "kinds:list=1", "'kinds' needs 'needed': first" },
        { "kinds:needed=1", "'kinds' needs 'list': fifth" },
        { "kinds:needed=1,list=", "'list' needs numbers, as in 'list=1/0.5/0.25'" },
        { "kinds:needed=1,list=1/10", "'list' is 10, must be at least -9 and at most 9" },
        { "kinds:needed=1,list=1,whole=.5", "'whole' is 0.5, must be a whole number" },
        { "kinds:needed=1,list=1,word=blue", "'word' is 'blue', must be red or green" },
        { "kinds:needed=1,list=1,word", "'word' is '', must be red or green" },
        { "kinds:list=1,2", "'kinds' has no option '2'" }, /* only the first may be bare */
    };
    const struct spec_subject about = { "thing", NULL, KILN_BAD_ARGUMENT };
    struct text help = { .budget = &budget, .report = &report };
    struct kinds got;

    expect_ok(spec_read(&got, &kinds, "kinds:3,list=1/-2/.5,word=red", &about, &report));
    ck_assert(got.needed == 3 && isnan(got.unsaid) && got.whole == 4 && got.word == 0 && got.list.count == 3 &&
              got.list.at[1] == -2 && got.list.at[2] == .5);
    expect_ok(spec_read(&got, &kinds, "kinds:list=7,needed=0,whole=5,unsaid=2", &about, &report));
    ck_assert(got.needed == 0 && got.unsaid == 2 && got.whole == 5 && got.word == 1 && got.list.count == 1 &&
              got.list.at[0] == 7);
    for (size_t k = 0; k < sizeof wrong / sizeof *wrong; k++) {
        ck_assert(!spec_read(&got, &kinds, wrong[k][0], &about, &report));
        expect_error(KILN_BAD_ARGUMENT, wrong[k][1]);
    }
    spec_help(&help, kinds_table, NULL);
    ck_assert_str_eq(help.data,
                     "  kinds - of options\n    needed (needed, 0 to 9): first\n    unsaid (0 to 9): second\n"
                     "    whole=4 (0 to 9): third\n    word=green (red or green): fourth\n"
                     "    list (needed, numbers between '/', -9 to 9): fifth\n");
    text_release(&help);
}
END_TEST

static void expect_said(const struct spec_row *row, const void *settings, const char *but, const char *need)
{
    struct text said = { .budget = &budget, .report = &report };

    spec_say(&said, row, settings, but);
    ck_assert(!said.failed);
    ck_assert_str_eq(said.data ? said.data : "", need);
    text_release(&said);
}

/* Which is as they are read, whatever the locale; what is nothing but usual is not said. */
START_TEST(settings_are_said_as_they_are_read)
{
    static const char *const specs[] = { "needed=0,unsaid=0.1,whole=5,word=red,list=1/-2.5/1e-07",
                                         "needed=0.30000000000000004,list=0.3333333333333333" };
    const struct spec_subject about = { "thing", NULL, KILN_BAD_ARGUMENT };
    const struct {
        const char *file;
        double value;
    } other = { "some/file", -1234567 };
    const struct spec_row text = { .options =
                                       (const struct spec_option[]){ { .key = "FILE", .kind = SPEC_TEXT }, { 0 } } };
    const struct spec_row value = { .options = (const struct spec_option[]){
                                        { .key = "v", .kind = SPEC_VALUE, .offset = sizeof other.file }, { 0 } } };
    struct kinds got;

    for (int commas = 0; commas < 2; commas++) {
        if (commas)
            numbers_have_commas();
        for (size_t k = 0; k < sizeof specs / sizeof *specs; k++) {
            expect_ok(spec_read_keys(&got, &kinds, specs[k], &about, &report));
            expect_said(&kinds, &got, NULL, specs[k]);
        }
        expect_said(&kinds, &got, "list", "needed=0.30000000000000004");
    }
    numbers_have_points();
    expect_said(&text, &other, NULL, "some/file");
    expect_said(&value, &other, NULL, "-1234567");
    expect_said(&(struct spec_row){ 0 }, NULL, NULL, "");
}
END_TEST

/* -- help and messages -- */

START_TEST(help_is_made_from_the_rows)
{
    struct text names = { .budget = &budget, .report = &report }, help = names, formats = names;

    spec_names(&names, optimizer_table);
    ck_assert_str_eq(names.data, "adam, by_norm, decayed, rmsprop or sgd");
    spec_help(&help, optimizer_table, common_options);
    ck_assert_ptr_nonnull(strstr(help.data,
                                 "\n  decayed - decay apart from the rate\n    learning_rate=0.5 (0 to 1e+30): "
                                 "how far a step goes\n    decay=0 (0 to below 1): of the weights\n    "
                                 "counted=0 (0 or 1): count the steps\n"));
    format_names(&formats);
    ck_assert(strstr(formats.data, "csv:FILE") && strstr(formats.data, "fashion-mnist[:DIR]"));
    text_release(&names);
    text_release(&help);
    text_release(&formats);
    ck_assert_uint_eq(budget.used, 0);
}
END_TEST

START_TEST(errors_name_the_rows)
{
    const struct spec_subject about = { "optimizer", "place", KILN_BAD_ARGUMENT };
    struct decayed got;

    ck_assert_ptr_null(spec_find(optimizer_table, "adamw:x=1", &about, &report));
    ck_assert_str_eq(report.error.where, "place");
    expect_error(KILN_BAD_ARGUMENT, "optimizer 'adamw' is unknown, must be adam, by_norm, decayed, rmsprop or sgd");
    ck_assert_ptr_null(loss_named("huber"));
    ck_assert_ptr_eq(loss_named("squared_nodes:weight=2"), &squared_nodes);
    ck_assert(!spec_read(&got, &decayed.row, "decayed:decay=1", &about, &report));
    expect_error(KILN_BAD_ARGUMENT, "optimizer 'decayed': 'decay' is 1, must be at least 0 and below 1");
    ck_assert(!spec_read(&got, &squared_nodes.row, "squared_nodes:heavy=1", &about, &report));
    expect_error(KILN_BAD_ARGUMENT, "has no option 'heavy', but weight");
    ck_assert(!spec_read(&got, &loss_mean_squared_error.row, "mean_squared_error:heavy=1", &about, &report));
    expect_error(KILN_BAD_ARGUMENT, "has no option 'heavy', but nothing");
    expect_ok(spec_read(&got, &decayed.row, "decayed:counted=1,decay=0.25", &about, &report));
    ck_assert(got.counted && got.decay == .25 && got.learning_rate == .5);
    expect_ok(spec_read(&got, &decayed.row, "decayed", &about, &report)); /* nothing is left of what was there */
    ck_assert(!got.counted && got.decay == 0);
}
END_TEST

/* -- training by them -- */

#define HEAD "< ir_version: 8, opset_import: [\"\": 17] >\n"

static struct trainer *trainer_of(const char *text, const char *loss, const char *optimizer, int threads)
{
    const struct trainer_options o = {
        .optimizer = optimizer, .threads = threads, .keep_gradients = true, TARGET(.loss = loss, .form = TARGETS_VALUES)
    };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);
    struct trainer *t;

    expect_ok(m && model_build(m, &report));
    t = trainer_new(m, &o, &report);
    model_free(m);
    expect_ok(t);
    return t;
}

static void expect_near(const struct tensor *a, const struct tensor *b, double most)
{
    ck_assert(a && b && tensor_count(a) == tensor_count(b));
    for (int64_t k = 0; k < tensor_count(a); k++) {
        const double p = (double)((const float *)a->data)[k], q = (double)((const float *)b->data)[k];

        ck_assert_msg(fabs(p - q) <= most * fmax(1, fabs(p)), "element %d: %.9g and %.9g", (int)k, p, q);
    }
}

/* A model that ends in a convolution has its output in another layout while it is trained. */
static const struct twin {
    const char *text, *emitted, *fused;
    int rank, label_rank;
    int64_t dims[4], labels[4];
} twins[] = {
    { HEAD "net (float[N, 3] x) => (float[N, 2] y) <float[3, 2] w = {1, 2, -3, 0.5, 0.25, 1}> { y = MatMul (x, w) }",
      "squared_nodes",
      "mean_squared_error",
      2,
      2,
      { 5, 3 },
      { 5, 2 } },
    { HEAD "net (float[N, 3] x) => (float[N, 1] y) <float[3, 1] w = {1, 2, -3}> { z = MatMul (x, w) y = Sigmoid (z) }",
      "squared_nodes",
      "mean_squared_error",
      2,
      2,
      { 7, 3 },
      { 7, 1 } },
    { HEAD "net (float[N, 2, 3, 4] x) => (float[N, 2, 3, 4] y) <float[2, 2, 1, 1] w = {1, -1, 0.5, 2}> {\n"
           " c = Conv (x, w) r = Relu (c) y = Conv (r, w) }",
      "squared_nodes",
      "mean_squared_error",
      4,
      4,
      { 3, 2, 3, 4 },
      { 3, 2, 3, 4 } },
    { HEAD "net (float[N, 3] x) => (float[N, 3] y) <float[3, 3] w = {1, 2, -3, 0.5, 0.25, 1, -1, 2, 1}> {\n"
           " z = MatMul (x, w) y = Softmax (z) }",
      "classes_nodes",
      "sparse_categorical_crossentropy",
      2,
      1,
      { 5, 3 },
      { 5 } },
};

struct batch_data {
    float x[128], values[128];
    int64_t classes[128];
    struct tensor tx, ty;
};

static void fill_batch(struct batch_data *b, const struct twin *c)
{
    for (int k = 0; k < 128; k++) {
        b->x[k] = (float)sin(1.5 * k);
        b->values[k] = (float)cos(.7 * k);
        b->classes[k] = k * k % 3;
    }
    ck_assert(tensor_shape(&b->tx, F32, c->rank, c->dims));
    ck_assert(tensor_shape(&b->ty, c->label_rank == 1 ? I64 : F32, c->label_rank, c->labels));
    b->tx.data = b->x;
    b->ty.data = c->label_rank == 1 ? (void *)b->classes : (void *)b->values;
}

/* Loss, gradient, what is learned from it and what is counted: as of the loss by rows that does the same. */
START_TEST(a_loss_of_nodes_is_the_loss_by_rows)
{
    const struct twin *c = &twins[_i];
    struct trainer *a = trainer_of(c->text, c->emitted, "sgd:learning_rate=0.1", 2);
    struct trainer *b = trainer_of(c->text, c->fused, "sgd:learning_rate=0.1", 2);
    float p, q;
    struct batch_data data;

    fill_batch(&data, c);
    for (int k = 0; k < 3; k++) {
        expect_ok(trainer_evaluate_batch(a, &data.tx, &data.ty, &p, &report));
        expect_ok(trainer_evaluate_batch(b, &data.tx, &data.ty, &q, &report));
        ck_assert_float_eq_tol(p, q, 1e-6f);
        expect_ok(trainer_step(a, &data.tx, &data.ty, &p, &report));
        expect_ok(trainer_step(b, &data.tx, &data.ty, &q, &report));
        ck_assert_float_eq_tol(p, q, 1e-6f);
        ck_assert_double_eq(a->result->metric[METRIC_accuracy], b->result->metric[METRIC_accuracy]);
        ck_assert_int_eq(a->result->rows, b->result->rows);
        expect_near(trainer_gradient(a, "w"), trainer_gradient(b, "w"), 1e-6);
        expect_near(trainer_state(a, "w", NULL), trainer_state(b, "w", NULL), 1e-6);
    }
    trainer_free(a);
    trainer_free(b);
}
END_TEST

START_TEST(settings_reach_the_nodes)
{
    struct trainer *a = trainer_of(twins[0].text, "squared_nodes", "sgd:learning_rate=0.1", 1);
    struct trainer *b = trainer_of(twins[0].text, "squared_nodes:weight=4", "sgd:learning_rate=0.1", 1);
    float p, q;
    struct batch_data data;

    fill_batch(&data, &twins[0]);
    expect_ok(trainer_step(a, &data.tx, &data.ty, &p, &report));
    expect_ok(trainer_step(b, &data.tx, &data.ty, &q, &report));
    ck_assert_float_eq_tol(4 * p, q, 1e-5f);
    ck_assert_str_eq(a->targets->loss.said, "squared_nodes from the output, as asked");
    trainer_free(a);
    trainer_free(b);
}
END_TEST

/* Through fit and the public functions, too; what is not finite is seen, and a label that is no class. */
START_TEST(a_loss_of_nodes_goes_all_the_way)
{
    const struct fit_options f = { .batch = 2, .epochs = 30, .shuffle = true };
    struct trainer *t = trainer_of(twins[0].text, "squared_nodes", "adam:learning_rate=0.1", 1);
    struct batch_data data;
    float got;
    double before[ALL_MEASURES], after[ALL_MEASURES];
    struct two_columns columns;
    struct dataset d;
    int64_t ran;

    fill_batch(&data, &twins[0]);
    d = dataset_of(&columns, &data.tx, &data.ty, 0, &budget);
    expect_ok(trainer_evaluate(t, &d, NULL, 2, before, &report));
    expect_ok(trainer_fit(t, &d, NULL, NULL, &f, NULL, &ran, &report));
    expect_ok(trainer_evaluate(t, &d, NULL, 2, after, &report));
    ck_assert_double_lt(after[0], before[0] / 2);
    ck_assert(measure_applies(t, &d, 0) && !measure_applies(t, &d, 1 + METRIC_accuracy));
    data.x[1] = NAN;
    ck_assert(!trainer_step(t, &data.tx, &data.ty, &got, &report));
    expect_error(KILN_RUN_FAILED, "the loss is not a number");
    trainer_free(t);
    t = trainer_of(twins[3].text, "classes_nodes", "sgd", 1);
    fill_batch(&data, &twins[3]);
    data.classes[2] = 3;
    ck_assert(!trainer_step(t, &data.tx, &data.ty, &got, &report));
    expect_error(KILN_RUN_FAILED, "3");
    trainer_free(t);
}
END_TEST

START_TEST(the_public_functions_take_a_loss_of_nodes)
{
    kiln_trainer_options o = KILN_TRAINER_OPTIONS_INIT;
    kiln_tensor *x, *y;
    kiln_trainer *t;
    kiln_model *m;
    kiln_score first, score;
    kiln_error err;

    o.loss = "squared_nodes:weight=2";
    o.optimizer = "decayed:learning_rate=0.1";
    o.values = true;
    ck_assert_int_eq(kiln_model_open_memory(&m, twins[0].text, strlen(twins[0].text), NULL, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_new(&t, m, &o, &err), KILN_OK);
    ck_assert_int_eq(
        kiln_tensor_new(&x, KILN_FLOAT, 2, (const int64_t[]){ 2, 3 }, (const float[]){ 1, 2, 3, 0, 1, 0 }, &err),
        KILN_OK);
    ck_assert_int_eq(kiln_tensor_new(&y, KILN_FLOAT, 2, (const int64_t[]){ 2, 2 }, (const float[]){ 1, 0, 0, 1 }, &err),
                     KILN_OK);
    ck_assert_int_eq(kiln_trainer_step(t, x, y, &first, &err), KILN_OK);
    ck_assert_int_eq(kiln_trainer_score(t, x, y, &score, &err), KILN_OK);
    ck_assert(score.loss < first.loss && score.rows == 2);
    kiln_trainer_free(t);
    kiln_model_free(m);
    kiln_tensor_free(x);
    kiln_tensor_free(y);
}
END_TEST

START_TEST(decay_is_apart_from_the_rate)
{
    struct trainer *t = trainer_of(twins[0].text, NULL, "decayed:decay=0.25,counted=1", 1);
    float got;
    struct batch_data data;
    float want[6];

    fill_batch(&data, &twins[0]);
    for (int step = 1; step <= 3; step++) {
        float *w = trainer_state(t, "w", NULL)->data;

        memcpy(want, w, sizeof want);
        t->learning_rate = step == 3 ? .125 : .5;
        expect_ok(trainer_step(t, &data.tx, &data.ty, &got, &report));
        for (int k = 0; k < 6; k++) {
            const float rate = (float)t->learning_rate, g = ((const float *)trainer_gradient(t, "w")->data)[k];

            want[k] -= rate * .25f * want[k] + rate / (float)step * g;
            ck_assert_float_eq_tol(w[k], want[k], 1e-6f);
        }
        ck_assert_float_eq(((const float *)trainer_state(t, "w", "count")->data)[5], (float)step);
    }
    ck_assert_ptr_null(trainer_state(t, "w", "never"));
    trainer_free(t);
}
END_TEST

START_TEST(an_optimiser_need_not_know_double)
{
    static const char text[] =
        HEAD "net (double[N, 1] x) => (double[N, 1] y) <double[1, 1] w = {1}> { y = MatMul (x, w) }";
    const struct trainer_options o = { .optimizer = "decayed", .threads = 1, TARGET(.form = TARGETS_VALUES) };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report);

    expect_ok(m && model_build(m, &report));
    ck_assert_ptr_null(trainer_new(m, &o, &report));
    expect_error(KILN_UNSUPPORTED, "optimizer 'decayed' does not train double, which parameter 'w' is");
    model_free(m);
}
END_TEST

/* Of two parameters, one so large that it is updated in pieces. */
START_TEST(a_norm_is_of_the_whole_tensor)
{
    static const char text[] =
        "< ir_version: 8, opset_import: [\"\": 17], metadata_props: [ \"init.w\": \"glorot_uniform\", \"init.b\": "
        "\"zeros\" ] >\n"
        "net (float[N, 300] x, float[300, 500] w, float[500] b) => (float[N, 500] y) {\n"
        " z = MatMul (x, w) y = Add (z, b) }";
    static const char *const names[] = { "w", "b" };
    static float x[300], y[500], before[2][150000];
    const struct trainer_options o = { .optimizer = "by_norm:learning_rate=3",
                                       .threads = 2,
                                       TARGET(.form = TARGETS_VALUES) };
    const struct initialise_options draw = { .seed = 1 };
    struct tensor tx = { .dtype = F32, .rank = 2, .dims = { 1, 300 }, .data = x };
    struct tensor ty = { .dtype = F32, .rank = 2, .dims = { 1, 500 }, .data = y };
    struct model *m = model_read_bytes(text, strlen(text), NULL, &report), *drawn;
    float got;
    struct trainer *t;
    size_t count;

    expect_ok(m && model_build(m, &report));
    drawn = model_initialise(m, &draw, &count, &report);
    expect_ok(drawn && model_build(drawn, &report));
    t = trainer_new(drawn, &o, &report);
    expect_ok(t);
    for (int k = 0; k < 300; k++)
        x[k] = (float)sin(k);
    for (int p = 0; p < 2; p++)
        memcpy(before[p], trainer_state(t, names[p], NULL)->data,
               (size_t)tensor_bytes(trainer_state(t, names[p], NULL)));
    expect_ok(trainer_step(t, &tx, &ty, &got, &report));
    for (int p = 0; p < 2; p++) { /* each has moved as far as the learning rate says */
        const struct tensor *now = trainer_state(t, names[p], NULL);
        double moved = 0;

        for (int64_t k = 0; k < tensor_count(now); k++)
            moved += pow((double)((const float *)now->data)[k] - (double)before[p][k], 2);
        ck_assert_double_eq_tol(sqrt(moved), 3, 1e-4);
    }
    trainer_free(t);
    model_free(drawn);
    model_free(m);
}
END_TEST

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

Suite *suite(void)
{
    Suite *s = suite_create("tables");

    (void)put_file;
    (void)enter_scratch;
    (void)leave_scratch;
    add_tests(s, rows_are_complete, 8);
    add_test(s, optimisers_say_what_a_trainer_needs);
    add_test(s, one_loss_is_guessed);
    add_test(s, formats_say_where);
    add_test(s, schedules_and_regularisers_say_what_a_trainer_needs);
    add_test(s, options_are_of_kinds);
    add_test(s, settings_are_said_as_they_are_read);
    add_test(s, help_is_made_from_the_rows);
    add_test(s, errors_name_the_rows);
    add_tests(s, a_loss_of_nodes_is_the_loss_by_rows, COUNT(twins));
    add_test(s, settings_reach_the_nodes);
    add_test(s, a_loss_of_nodes_goes_all_the_way);
    add_test(s, the_public_functions_take_a_loss_of_nodes);
    add_test(s, decay_is_apart_from_the_rate);
    add_test(s, an_optimiser_need_not_know_double);
    add_test(s, a_norm_is_of_the_whole_tensor);
    return s;
}
