#include "train/metric.h"
#include "train/metrics/registry.h"
#include <math.h>
#include <string.h>

const struct spec_row *metric_table(size_t k)
{
    return metric_registry[k] ? &metric_registry[k]->row : NULL;
}

static const struct spec_subject about = { "metric", NULL, KILN_BAD_ARGUMENT };

/* -- a loss as a metric -- */

struct loss_settings {
    const struct loss_def *def;
    void *settings;
};

static void count_loss(const struct output_row *r, const void *settings, double *sums)
{
    const struct loss_settings *s = settings;
    const struct loss_row row = { .row = *r, .settings = s->settings };

    *sums += s->def->rows(&row);
}

static const struct metric_def of_loss = { .count = count_loss, .lower_is_better = true };

/* -- those that are asked for -- */

static bool set_loss(struct metric *m, const struct loss_def *def, const char *spec, struct arena *arena,
                     struct report *r)
{
    struct loss_settings *s = arena_alloc(arena, sizeof *s, r);

    m->def = &of_loss;
    m->settings = s;
    if (!s)
        return false;
    s->def = def;
    s->settings = arena_alloc(arena, def->settings_size, r);
    return s->settings && spec_read(s->settings, &def->row, spec, &about, r);
}

static bool check_class(const struct metric *m, const char *key, int64_t classes, struct report *r)
{
    const double class = spec_value(&m->def->row, m->settings, key);

    return !(class >= (double)classes) ||
           fail(r, KILN_BAD_ARGUMENT, NULL, "metric '%s': '%s' is %g, the output has %lld classes", m->def->row.name,
                key, class, (long long)classes);
}

static bool set_metric(struct metric *m, const struct metric_def *def, const char *spec, int64_t width,
                       struct arena *arena, struct report *r)
{
    m->def = def;
    m->settings = arena_alloc(arena, def->settings_size, r);
    return m->settings && spec_read(m->settings, &def->row, spec, &about, r) && check_class(m, "class_id", width, r) &&
           check_class(m, "target_class_id", width == 1 ? 2 : width, r);
}

/* Labels that are rows of numbers name no class to a loss that wants one. */
static bool takes_labels(const struct loss_def *def, const struct loss *l, struct report *r)
{
    return def->labels != LABELS_CLASSES || l->def->labels == LABELS_CLASSES ||
           fail(r, KILN_BAD_ARGUMENT, NULL, "metric '%s' needs labels that are classes, loss '%s' has others",
                def->row.name, l->def->row.name);
}

static const struct metric_def *metric_named(const char *spec)
{
    for (size_t k = 0; metric_registry[k]; k++)
        if (spec_is(&metric_registry[k]->row, spec))
            return metric_registry[k];
    return NULL;
}

static bool choose(struct metric *m, const struct loss *l, const char *spec, struct arena *arena, struct report *r)
{
    const struct metric_def *def = metric_named(spec);
    const struct loss_def *loss = def ? NULL : loss_named(spec);

    if (loss && loss->rows && loss->labels != LABELS_SEQUENCES)
        return takes_labels(loss, l, r) && set_loss(m, loss, spec, arena, r);
    return (def || spec_find(metric_table, spec, &about, r)) && set_metric(m, def, spec, l->width, arena, r);
}

static void place(struct metrics *m)
{
    m->sums = 0;
    for (size_t k = 0; k < m->count; k++) {
        struct metric *each = &m->each[k];

        each->at = m->sums;
        each->size = each->def->size ? each->def->size(each->settings, m->width) : 1;
        m->sums += each->size;
    }
}

/* Where two have one name, the second is "auc_1", as in Keras. */
static const char *name_of(const struct metrics *m, const char *spec, struct arena *arena, struct report *r)
{
    const char *name = arena_printf(arena, r, "%.*s", (int)spec_name_length(spec), spec), *stem = name;
    int again = 0;

    for (size_t k = 0; name && k < m->count; k++)
        if (m->each[k].told && strcmp(m->each[k].name, name) == 0) {
            name = arena_printf(arena, r, "%s_%d", stem, ++again);
            k = (size_t)-1;
        }
    return name;
}

static bool add(struct metrics *m, const char *spec, struct arena *arena, struct report *r)
{
    struct metric *next = &m->each[m->count];

    *next = (struct metric){ .name = name_of(m, spec, arena, r), .told = true, .asked = true };
    if (!next->name || !choose(next, m->loss, spec, arena, r))
        return false;
    m->count++;
    return true;
}

bool metrics_choose(struct metrics *out, const struct loss *l, const char *const *specs, size_t count,
                    struct arena *arena, struct report *r)
{
    *out = (struct metrics){ .loss = l, .width = l->width };
    if (count && l->def->labels == LABELS_SEQUENCES)
        return fail(r, KILN_UNSUPPORTED, NULL, "metric '%s' cannot be taken of sequences, which loss '%s' compares",
                    *specs, l->def->row.name);
    out->each = arena_array(arena, 1 + count, sizeof *out->each, r);
    if (!out->each)
        return false;
    out->each[out->count++] =
        (struct metric){ .def = &metric_accuracy, .name = metric_accuracy.row.name, .told = !count };
    for (size_t k = 0; k < count; k++)
        if (!add(out, specs[k], arena, r))
            return false;
    place(out);
    return true;
}

bool metrics_add(struct metrics *out, const struct metrics *m, const struct metric_def *more, struct arena *arena,
                 struct report *r)
{
    *out = *m;
    out->each = arena_array(arena, m->count + 1, sizeof *out->each, r);
    if (!out->each)
        return false;
    memcpy(out->each, m->each, m->count * sizeof *out->each);
    out->each[out->count++] = (struct metric){ .def = more, .name = more->row.name };
    place(out);
    return true;
}

void metrics_merge(const struct metrics *m, double *sums, const double *more)
{
    for (size_t k = 0; k < m->count; k++) {
        const struct metric *each = &m->each[k];

        if (each->def->merge)
            each->def->merge(sums + each->at, more + each->at, m->width);
        for (int64_t i = each->at; !each->def->merge && i < each->at + each->size; i++)
            sums[i] += more[i];
    }
}

double metric_finish(const struct metrics *m, size_t k, const double *sums, int64_t rows)
{
    const struct metric *each = &m->each[k];
    const struct metric_sums s = { each->settings, sums + each->at, m->width, rows };

    if (each->def->finish)
        return rows ? each->def->finish(&s) : (double)NAN;
    return rows ? *s.at / (double)rows : (double)NAN;
}

/* -- the node -- */

enum { OUTPUT, LABELS, PROBABILITIES }; /* inputs; output 0: the sums */

/* Rows are summed in as many parts as they have pieces, fewer where that would be many sums: by sizes alone. */
static int64_t part_count(const struct metrics *m, const struct tensor *x)
{
    enum { MOST = 1 << 16 };
    const int64_t chunks = chunk_count(x), most = m->sums < MOST ? MOST / m->sums : 1;

    return chunks < most ? chunks : most;
}

static bool infer(struct infer *i)
{
    const struct metrics *m = infer_attrs(i);
    const int64_t parts = part_count(m, typed_in(i, OUTPUT));
    int64_t bytes;

    if (!mul_size(parts, m->sums, &bytes) || !mul_size(bytes, (int64_t)sizeof(double), &bytes))
        return infer_error(i, "%lld parts of %lld sums are too many", (long long)parts, (long long)m->sums);
    need_scratch(i, (size_t)bytes);
    return set_out(i, 0, F64, 1, (const int64_t[]){ m->sums });
}

/* A label that is out of range counts nothing: the loss tells of it. */
static void run_part(void *context, int64_t part, int thread)
{
    const struct step *s = context;
    const struct metrics *m = s->attrs;
    const struct tensor *x = s->in[OUTPUT], *p = s->in[PROBABILITIES];
    const int64_t rows = row_count(x), parts = part_count(m, x);
    const int64_t each = (chunk_count(x) + parts - 1) / parts * rows_of_chunk(x), from = part * each;
    double *sums = (double *)s->scratch + part * m->sums;

    (void)thread;
    memset(sums, 0, (size_t)m->sums * sizeof *sums);
    for (int64_t k = from; k < from + each && k < rows && m->loss->def->labels != LABELS_SEQUENCES; k++) {
        const struct output_row read = row_of(x, s->in[LABELS], k, m->loss->logits);
        const struct output_row given = p ? row_of(p, s->in[LABELS], k, false) : read;

        if (read.label < 0 || read.label >= read.n)
            continue;
        for (size_t i = 0; i < m->count; i++) {
            const struct metric *c = &m->each[i];

            if (c->def->as_loss && m->loss->def->skips && m->loss->def->skips(&read, m->loss->settings))
                continue;
            c->def->count(c->def->of_logits ? &read : &given, c->settings, sums + c->at);
        }
    }
}

static bool run(struct step *s)
{
    const struct metrics *m = s->attrs;
    const int64_t parts = part_count(m, s->in[OUTPUT]);
    const double *part = s->scratch;
    double *sums = s->out[0]->data;

    pool_run(s->pool, parts, run_part, s);
    memset(sums, 0, (size_t)m->sums * sizeof *sums);
    for (int64_t k = 0; k < parts; k++)
        metrics_merge(m, sums, part + k * m->sums);
    return true;
}

static const struct op op_metrics = {
    .name = "Metrics",
    .domain = "kiln",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T output, L labels, T probabilities? -> D sums",
                                       .types = "T: f32; L: f32 i64; D: f64",
                                       .attrs_size = sizeof(struct metrics),
                                       .infer = infer,
                                       .run = run,
                                       .no_gradient = "is only told of" },
                                     { 0 } },
};

/* Does one of them look at what the model gives, where the loss reads logits? */
static bool need_probabilities(const struct metrics *m)
{
    bool need = false;

    for (size_t k = 0; k < m->count; k++)
        need |= !m->each[k].def->of_logits;
    return need && m->loss->logits;
}

struct value *metrics_emit(struct emitter *e, const struct metrics *m, struct value *at, struct value *labels)
{
    struct value *in[] = { at, labels, NULL }, *sums;
    const bool softmax = m->loss->def->activation == ACTIVATION_SOFTMAX, need = need_probabilities(m);

    if (need)
        in[PROBABILITIES] = softmax ? emit(e, "Softmax", "axis=-1", 1, at) : emit(e, "Sigmoid", "", 1, at);
    if (need && !in[PROBABILITIES])
        return NULL;
    return emit_private(e, &op_metrics, m, 1, &sums, NULL, need ? 3 : 2, in) ? sums : NULL;
}
