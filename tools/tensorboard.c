#include "tensorboard.h"
#include "graphdef.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool has_events(const char *directory)
{
    static const char start[] = "events.out.tfevents.";
    DIR *d = opendir(directory);
    const struct dirent *entry;
    bool found = false;

    while (d && !found && (entry = readdir(d)))
        found = strncmp(entry->d_name, start, sizeof start - 1) == 0;
    if (d)
        closedir(d);
    return found;
}

bool board_claim(struct board *b, const char *directory, bool validates, bool goes_on, struct command *c)
{
    static const char *const names[BOARD_RUNS] = { "train", "validation" };

    if (!command_make_directory(c, directory))
        return false;
    for (int k = 0; k < (validates ? BOARD_RUNS : 1); k++) {
        char *path = NULL;

        if (asprintf(&path, "%s/%s", directory, names[k]) < 0)
            return command_no_memory(c);
        if (command_make_directory(c, path)) {
            const bool more = has_events(path);

            b->graph |= k == BOARD_TRAIN && !(goes_on && more);
            if (!goes_on && more)
                say_to(stderr,
                       "kiln: warning: %s: the events of another training are there, TensorBoard will show both as "
                       "one\n",
                       path);
            b->path[k] = events_claim(path, c);
        }
        free(path);
        if (!b->path[k])
            return false;
    }
    return true;
}

bool board_open(struct board *b, const kiln_trainer *t, struct command *c)
{
    kiln_model *model = NULL;
    bool ok = true;

    for (int k = 0; k < BOARD_RUNS && ok; k++)
        ok = !b->path[k] || events_open(&b->run[k], b->path[k], c);
    ok = ok && (!b->graph || (kiln_trainer_export(&model, t, &c->err) == KILN_OK &&
                              graphdef_write(&b->run[BOARD_TRAIN], model, c) && events_flush(&b->run[BOARD_TRAIN])));
    kiln_model_free(model);
    return ok;
}

/* All weights, running statistics among them, as Keras has it, but for those that are frozen. */
static bool add_weights(struct events *to, kiln_trainer *t, int64_t step, struct command *c)
{
    for (size_t k = 0; k < kiln_trainer_parameter_count(t); k++) {
        const kiln_parameter *p = kiln_trainer_parameter(t, k);
        struct histogram h;
        kiln_tensor *value;

        if (p->role != KILN_TRAINABLE && p->role != KILN_STATISTIC)
            continue;
        if (kiln_trainer_get(&value, t, p->name, NULL, &c->err) != KILN_OK)
            return false;
        histogram_of(&h, value);
        kiln_tensor_free(value);
        events_histogram(to, (struct tag){ "", p->name, "/histogram" }, step, &h);
    }
    return true;
}

/* Keras counts epochs from 0. */
bool board_epoch(struct board *b, kiln_trainer *t, const kiln_epoch *e, int64_t steps, struct command *c)
{
    const double *const values[BOARD_RUNS] = { e->train, e->validation };
    const int64_t epoch = e->number - 1;

    if (!b->path[BOARD_TRAIN])
        return true;
    for (int k = 0; k < BOARD_RUNS; k++)
        for (size_t m = 0; m < kiln_trainer_measure_count(t); m++) {
            const char *name = kiln_trainer_measure_name(t, m);

            if (isnan(values[k][m]))
                continue;
            events_scalar(&b->run[k], (struct tag){ "epoch_", name, "" }, epoch, values[k][m]);
            if (k == BOARD_VALIDATION)
                events_scalar(&b->run[k], (struct tag){ "evaluation_", name, "_vs_iterations" }, steps, values[k][m]);
        }
    events_scalar(&b->run[BOARD_TRAIN], (struct tag){ "epoch_", "learning_rate", "" }, epoch, e->learning_rate);
    if (b->every && epoch % b->every == 0 && !add_weights(&b->run[BOARD_TRAIN], t, epoch, c))
        return false;
    return events_flush(&b->run[BOARD_TRAIN]) && events_flush(&b->run[BOARD_VALIDATION]);
}

bool board_close(struct board *b)
{
    const bool train = events_close(&b->run[BOARD_TRAIN]);

    return events_close(&b->run[BOARD_VALIDATION]) && train;
}
