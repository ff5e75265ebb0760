/* many MODEL: runs the model once through kiln.h, with a vector of one number for each input, and asks for all inputs,
 * and for all outputs by their names. For tests/big.py: of a model that has very many of them. */
#include "kiln.h"
#include <stdio.h>
#include <stdlib.h>

static kiln_error error;

static int give_up(void)
{
    fprintf(stderr, "many: %s: %s\n", error.where, error.message);
    return 1;
}

/* Every input, and all outputs by their names; false where one is missing. */
static bool run(kiln_model *model, kiln_session *session, size_t count, const char **names, const kiln_tensor **tensors,
                kiln_tensor *one)
{
    bool ok = true;

    for (size_t k = 0; k < count; k++) {
        names[k] = kiln_model_input(model, k)->name;
        tensors[k] = one;
    }
    ok = ok && kiln_session_run(session, count, names, tensors, &error) == KILN_OK;
    for (size_t k = 0; ok && k < kiln_model_output_count(model); k++)
        ok = kiln_session_output_named(session, kiln_model_output(model, k)->name);
    return ok;
}

int main(int argc, char **argv)
{
    static float number[] = { 1 };
    kiln_model *model = NULL;
    kiln_session *session = NULL;
    kiln_tensor *one = NULL;
    size_t count;
    const char **names;
    const kiln_tensor **tensors;
    bool ok;

    if (argc != 2 || kiln_model_open(&model, argv[1], NULL, &error) ||
        kiln_session_new(&session, model, NULL, &error) ||
        kiln_tensor_wrap(&one, KILN_FLOAT, 1, (const int64_t[]){ 1 }, number, sizeof number, &error))
        return give_up();
    count = kiln_model_input_count(model);
    names = calloc(count + 1, sizeof *names);
    tensors = calloc(count + 1, sizeof *tensors);
    ok = names && tensors && run(model, session, count, names, tensors, one);
    free(names);
    free(tensors);
    kiln_tensor_free(one);
    kiln_session_free(session);
    kiln_model_free(model);
    return ok ? 0 : give_up();
}
