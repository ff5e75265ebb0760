/* Before a training: what is told of it, and whether all of it can be written. */
#include "figure.h"
#include "training.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- what is told -- */

/* The elements of all parameters that are that. */
static int64_t elements_of(const kiln_trainer *t, kiln_role role)
{
    int64_t sum = 0;

    for (size_t k = 0; k < kiln_trainer_parameter_count(t); k++) {
        const kiln_parameter *p = kiln_trainer_parameter(t, k);
        sum += p->role == role ? p->elements : 0;
    }
    return sum;
}

/* What they are of and for, where that could be something else. */
static void print_columns(const struct learn *l)
{
    const kiln_dataset *d = l->train;
    const kiln_dataset_info *data = kiln_dataset_about(d);

    for (size_t k = 0; k < data->inputs && data->inputs > 1; k++)
        say("%s'%s'", k ? ", " : " of ", kiln_dataset_input(d, k)->name);
    for (size_t k = 0; k < data->targets && l->named && l->outputs > 1; k++)
        say("%s'%s'", k ? ", " : " for ", kiln_dataset_target(d, k)->name);
}

/* Which of several inputs are normalised: those of float. */
static void print_normalization(const struct train_options *o, const kiln_trainer *t)
{
    const size_t count = kiln_trainer_input_count(t);

    if (!o->learn.normalize || count < 2)
        return;
    say("normalize  %s:", o->learn.normalize);
    for (size_t k = 0; k < count; k++) {
        const kiln_value_info *v = kiln_trainer_input(t, k);

        say("%s '%s'%s", k ? "," : "", v->name, kiln_dtype_is_float(v->dtype) ? "" : " stays as it is");
    }
    say("\n");
}

void training_say_start(const struct train_options *o, const struct learn *l)
{
    const kiln_dataset_info *data = kiln_dataset_about(l->train);
    const kiln_trainer *t = l->trainer;

    say("model      %s: %lld parameters to train, %lld in statistics, %lld frozen%s\n", o->learn.model,
        (long long)elements_of(t, KILN_TRAINABLE), (long long)elements_of(t, KILN_STATISTIC),
        (long long)elements_of(t, KILN_FROZEN), l->drawn ? ", initial values drawn" : "");
    say("data       %s: %lld samples%s", o->learn.data, (long long)data->count, data->header ? " below a header" : "");
    print_columns(l);
    if (data->shuffle_buffer && o->fit.in_order)
        say(", streamed in their order");
    else if (data->shuffle_buffer)
        say(", streamed and shuffled in a window of %lld", (long long)data->shuffle_buffer);
    if (l->check)
        say(", %lld to validate", (long long)kiln_dataset_about(l->check)->count);
    data_say_label(l->train);
    say("\n");
    print_normalization(o, t);
    if (l->normalized)
        data_say_normalization(l->train, "normalize  ");
    if (o->learn.augment)
        say("augment    %s\n", o->learn.augment);
    learn_say_losses(l, "loss       ");
    say("optimizer  %s, learning rate %g, batch %lld, %d threads\n", kiln_trainer_optimizer(t),
        kiln_trainer_learning_rate(t), (long long)(kiln_trainer_batch(t) ? kiln_trainer_batch(t) : o->fit.batch),
        kiln_context_threads(l->command.context));
    if (o->learn.trainer.schedule)
        say("schedule   %s\n", o->learn.trainer.schedule);
    fflush(stdout);
}

/* -- what can be written -- */

static bool claim(struct command *c, const char *path, kiln_file_use use)
{
    return !path || kiln_file_claim(c->context, path, use, &c->err) == KILN_OK;
}

/* The file of checkpoints in a directory, which the caller frees; NULL with an error. */
static char *checkpoint_in(const char *directory, struct command *c)
{
    char *path = NULL;

    if (asprintf(&path, "%s/checkpoint.npz", directory) < 0) {
        command_no_memory(c);
        return NULL;
    }
    return path;
}

/* One that is there is gone on from, or is somebody's. */
static bool claim_checkpoint(struct train_options *o, struct command *c)
{
    if (o->resume && !(o->fit.resume = o->resume_file = checkpoint_in(o->resume, c)))
        return false;
    if (o->resume && access(o->resume_file, F_OK))
        return command_fail(c, KILN_IO, o->resume, "there is no checkpoint to go on from");
    if (!o->checkpoint)
        return true;
    if (!command_make_directory(c, o->checkpoint))
        return false;
    o->fit.checkpoint = o->checkpoint_file = checkpoint_in(o->checkpoint, c);
    if (!o->checkpoint_file)
        return false;
    if ((!o->resume || strcmp(o->resume, o->checkpoint) != 0) && access(o->checkpoint_file, F_OK) == 0)
        return command_fail(c, KILN_BAD_ARGUMENT, o->checkpoint,
                            "there is a checkpoint already: --resume goes on from it; delete it to begin anew");
    return true;
}

void training_release(struct train_options *o)
{
    free(o->checkpoint_file);
    free(o->resume_file);
}

bool training_claim(struct train_options *o, struct command *c)
{
    if (o->figure && !canvas_for(o->figure, c))
        return false;
    if (!claim_checkpoint(o, c))
        return false;
    if (o->tensorboard &&
        !board_claim(&o->board, o->tensorboard, o->learn.validation || o->learn.split > 0, o->resume, c))
        return false;
    return claim(c, o->output, KILN_FILE_MODEL) && claim(c, o->step_log, KILN_FILE_LOG) &&
           claim(c, o->history, KILN_FILE_OUTPUT) && claim(c, o->figure, KILN_FILE_OUTPUT) &&
           claim(c, o->profile, KILN_FILE_OUTPUT) && claim(c, o->fit.checkpoint, KILN_FILE_MODEL);
}
