#include "serve/apart.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 3 };

/* -- what is declared -- */

/* Is the first dimension open, and of one symbol in all of them? */
static bool leads(const kiln_value_info *v, const char **symbol)
{
    const char *name = v->rank > 0 && v->dim_names ? v->dim_names[0] : NULL;

    if (v->kind != KILN_TENSOR || v->dtype == KILN_STRING || v->rank < 1 || v->dims[0] != KILN_ANY)
        return false;
    for (int d = 1; name && d < v->rank; d++)
        if (v->dim_names[d] && strcmp(v->dim_names[d], name) == 0)
            return false;
    if (name && *symbol && strcmp(name, *symbol) != 0)
        return false;
    *symbol = name ? name : *symbol;
    return true;
}

/* What nothing declares of an output is left to the trial. */
static bool declared(struct served *m)
{
    const char *symbol = NULL;

    for (size_t k = 0; k < m->inputs; k++)
        if (!leads(kiln_model_input(m->model, k), &symbol)) {
            snprintf(m->why, sizeof m->why, "the first dimension of input '%.80s' is not the number of samples",
                     kiln_model_input(m->model, k)->name);
            return false;
        }
    for (size_t k = 0; k < m->outputs; k++) {
        const kiln_value_info *v = kiln_model_output(m->model, m->output[k]);

        if (v->dtype == KILN_STRING || (v->rank >= 0 && (!v->rank || v->dims[0] >= 0))) {
            snprintf(m->why, sizeof m->why, "the first dimension of output '%.80s' is not the number of samples",
                     v->name);
            return false;
        }
    }
    if (!m->inputs)
        snprintf(m->why, sizeof m->why, "it has no inputs");
    return m->inputs;
}

/* -- the trial -- */

struct trial {
    struct served *m;
    const char **names;
    kiln_tensor **all, **one; /* [inputs] ROWS rows, and one of them */
    kiln_tensor **together;   /* [outputs] what becomes of all */
};

/* Row k of larger numbers than the one before it: what depends on the largest of a batch shows. */
static void spread(kiln_tensor *t)
{
    const int64_t row = kiln_tensor_count(t) / ROWS;

    for (int64_t k = 0; k < kiln_tensor_count(t); k++)
        if (kiln_tensor_dtype(t) == KILN_FLOAT)
            ((float *)kiln_tensor_data(t))[k] *= (float)(k / row + 1) / ROWS;
        else if (kiln_tensor_dtype(t) == KILN_DOUBLE)
            ((double *)kiln_tensor_data(t))[k] *= (double)(k / row + 1) / ROWS;
}

/* Dimensions other than the first that are open are `side`. */
static bool make_inputs(struct trial *t, int64_t side)
{
    for (size_t k = 0; k < t->m->inputs; k++) {
        const kiln_value_info *v = kiln_model_input(t->m->model, k);
        int64_t dims[KILN_MAX_RANK] = { ROWS };

        kiln_tensor_free(t->all[k]);
        t->names[k] = v->name;
        for (int d = 1; d < v->rank; d++)
            dims[d] = v->dims[d] < 0 ? side : v->dims[d];
        if (kiln_tensor_new_random(&t->all[k], v->dtype, v->rank, dims, 1, (int32_t)k, NULL) != KILN_OK)
            return false;
        spread(t->all[k]);
    }
    return true;
}

static bool run(struct trial *t, kiln_tensor **x)
{
    return kiln_session_run(t->m->session, t->m->inputs, t->names, (const kiln_tensor *const *)x, NULL) == KILN_OK;
}

static bool run_all(struct trial *t)
{
    if (!run(t, t->all))
        return false;
    for (size_t k = 0; k < t->m->outputs; k++)
        if (kiln_tensor_copy(&t->together[k], kiln_session_output(t->m->session, k), NULL) != KILN_OK)
            return false;
    return true;
}

static bool make_row(struct trial *t, int64_t row)
{
    for (size_t k = 0; k < t->m->inputs; k++) {
        const kiln_tensor *all = t->all[k];
        const size_t bytes = kiln_tensor_bytes(all) / ROWS;
        int64_t dims[KILN_MAX_RANK];

        memcpy(dims, kiln_tensor_dims(all), (size_t)kiln_tensor_rank(all) * sizeof *dims);
        dims[0] = 1;
        kiln_tensor_free(t->one[k]);
        if (kiln_tensor_new(&t->one[k], kiln_tensor_dtype(all), kiln_tensor_rank(all), dims,
                            (const char *)kiln_tensor_data(all) + (size_t)row * bytes, NULL) != KILN_OK)
            return false;
    }
    return true;
}

/* How far roundings may lead, in units of the larger of 1 and the largest number. */
static double tolerance(kiln_dtype dtype)
{
    return !kiln_dtype_is_float(dtype) ? 0 : dtype == KILN_FLOAT || dtype == KILN_DOUBLE ? 1e-4 : 1e-2;
}

static bool same(const kiln_tensor *all, const kiln_tensor *one, int64_t row)
{
    const int64_t n = kiln_tensor_count(one);
    double most = 1, far = 0;

    if (kiln_tensor_rank(all) < 1 || kiln_tensor_rank(all) != kiln_tensor_rank(one) ||
        kiln_tensor_dims(all)[0] != ROWS || kiln_tensor_dims(one)[0] != 1 || kiln_tensor_count(all) != ROWS * n)
        return false;
    for (int64_t k = 0; k < n; k++) {
        const double a = kiln_tensor_number(all, row * n + k), b = kiln_tensor_number(one, k);

        if (isfinite(a) != isfinite(b))
            return false;
        most = isfinite(b) ? fmax(most, fabs(b)) : most;
        far = isfinite(b) ? fmax(far, fabs(a - b)) : far;
    }
    return far <= most * tolerance(kiln_tensor_dtype(all));
}

static bool try_rows(struct trial *t)
{
    for (int64_t row = 0; row < ROWS; row++) {
        if (!make_row(t, row) || !run(t, t->one))
            return false;
        for (size_t k = 0; k < t->m->outputs; k++)
            if (!same(t->together[k], kiln_session_output(t->m->session, k), row))
                return false;
    }
    return true;
}

static void release(struct trial *t)
{
    for (size_t k = 0; t->all && t->one && k < t->m->inputs; k++) {
        kiln_tensor_free(t->all[k]);
        kiln_tensor_free(t->one[k]);
    }
    for (size_t k = 0; t->together && k < t->m->outputs; k++)
        kiln_tensor_free(t->together[k]);
    free(t->names);
    free(t->all);
    free(t->one);
    free(t->together);
}

void apart_try(struct served *m)
{
    static const int64_t sides[] = { 1, 8, 64, 224 }; /* some networks take no small pictures */
    struct trial t = { .m = m };
    bool runs = false;

    if (!declared(m))
        return;
    t.names = calloc(m->inputs, sizeof *t.names);
    t.all = calloc(m->inputs, sizeof *t.all);
    t.one = calloc(m->inputs, sizeof *t.one);
    t.together = calloc(m->outputs, sizeof *t.together);
    for (size_t k = 0; t.names && t.all && t.one && t.together && !runs && k < sizeof sides / sizeof *sides; k++)
        runs = make_inputs(&t, sides[k]) && run_all(&t);
    m->apart = runs && try_rows(&t);
    if (!m->apart)
        snprintf(m->why, sizeof m->why,
                 runs ? "its rows depend on each other" : "it could not be tried with random rows");
    release(&t);
}
