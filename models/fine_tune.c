/* Trains a model on samples that the program makes itself, a batch at a time, and goes on where it was when it is started
 * again. Usage: fine_tune MODEL OUTPUT CHECKPOINT STEPS; MODEL takes images [N, 1, 28, 28] of ten classes.
 * cc fine_tune.c $(pkg-config --cflags --libs kiln) -o fine_tune */
#include <kiln.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BATCH = 16, SIDE = 28, CLASSES = 10, SAVE = 10 };

/* Of class k is an image with a bright column in place 2 k + 4. What comes in which step depends on its number alone. */
static void make_batch(int64_t step, float *x, int64_t *y)
{
    for (int i = 0; i < BATCH; i++) {
        y[i] = (step * 7 + i * 3) % CLASSES;
        for (int p = 0; p < SIDE * SIDE; p++)
            x[i * SIDE * SIDE + p] = (float)(p % SIDE == 2 * y[i] + 4) + (float)((step + i * 31 + p * 17) % 11) / 20;
    }
}

static int fail(const kiln_error *e)
{
    fprintf(stderr, "fine_tune: %s: %s\n", e->where, e->message);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static const int64_t x_dims[] = { BATCH, 1, SIDE, SIDE }, y_dims[] = { BATCH };
    static float x[BATCH * SIDE * SIDE];
    static int64_t y[BATCH];
    kiln_trainer_options options = KILN_TRAINER_OPTIONS_INIT;
    kiln_tensor *samples, *labels;
    kiln_trainer *trainer;
    kiln_model *model;
    kiln_score score;
    kiln_error err;

    if (argc != 5)
        return fprintf(stderr, "Usage: fine_tune MODEL OUTPUT CHECKPOINT STEPS\n"), EXIT_FAILURE;
    options.optimizer = "sgd:learning_rate=0.05,momentum=0.9";
    if (kiln_model_open(&model, argv[1], NULL, &err) || kiln_trainer_new(&trainer, model, &options, &err) ||
        kiln_tensor_wrap(&samples, KILN_FLOAT, 4, x_dims, x, sizeof x, &err) || /* the tensors see what is put there */
        kiln_tensor_wrap(&labels, KILN_INT64, 1, y_dims, y, sizeof y, &err) ||
        (access(argv[3], F_OK) == 0 && kiln_trainer_load_state(trainer, argv[3], &err)))
        return fail(&err);
    for (int64_t step; (step = kiln_trainer_steps(trainer)) < atoll(argv[4]);) {
        make_batch(step, x, y);
        if (kiln_trainer_step(trainer, samples, labels, &score, &err) ||
            ((step + 1) % SAVE == 0 && kiln_trainer_save_state(trainer, argv[3], &err)))
            return fail(&err);
        printf("step %lld  loss %.4f\n", (long long)step + 1, score.loss);
    }
    if (kiln_trainer_save(trainer, argv[2], KILN_FORM_BY_NAME, &err))
        return fail(&err);
    return EXIT_SUCCESS; /* what is left the system frees */
}
