#include "base/random.h"
#include "base/spec.h"
#include "base/text.h"
#include "data/element.h"
#include "tools.h"
#include "train/initialise.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* -- models -- */

static bool give_values(struct model **m, struct report *r)
{
    const struct initialise_options o = { 0 };
    struct model *filled;
    size_t count;

    if (!model_missing_values(*m))
        return true;
    filled = model_initialise(*m, &o, &count, r);
    if (!filled)
        return false;
    model_free(*m);
    *m = filled;
    return model_build(filled, r);
}

bool build_model(struct model **m, struct report *r)
{
    return model_build(*m, r) && give_values(m, r);
}

struct model *open_model(const char *path, struct budget *limits, struct report *r)
{
    const struct model_options o = { .memory = limits->limit, .seconds = limits->seconds, .total = limits };

    return model_read(path, &o, r);
}

/* -- inputs -- */

enum { MOST_MADE_UP = 1 << 30 }; /* bytes */

struct tensor closed_type(const struct value *v, int64_t batch)
{
    struct tensor t = v->type;

    for (int d = 0; d < t.rank; d++)
        if (t.dims[d] < 0)
            t.dims[d] = d ? 1 : batch;
    return t;
}

bool random_input(struct tensor *t, const char *name, uint64_t seed, int64_t stream, struct arena *arena,
                  struct report *r)
{
    int64_t n;
    float *floats;

    if (t->kind != TENSOR || !tensor_known(t) || !dtype_size(t->dtype))
        return fail(r, KILN_BAD_ARGUMENT, NULL, "input '%s' must be given, its type is too open to be made up", name);
    if (tensor_bytes(t) > MOST_MADE_UP)
        return fail(r, KILN_LIMIT, NULL, "input '%s' must be given, with %lld bytes it is too big to be made up", name,
                    (long long)tensor_bytes(t));
    n = tensor_count(t);
    t->data = arena_alloc(arena, (size_t)tensor_bytes(t), r);
    floats = arena_alloc(arena, (size_t)n * sizeof *floats, r);
    if (!t->data || !floats)
        return false;
    random_uniform(floats, n, seed, random_stream((int32_t)stream, 0), 0);
    for (int64_t k = 0; k < n; k++)
        if (dtype_is_float(t->dtype))
            element_put(t->data, k, t->dtype, (double)floats[k]);
        else if (element_getter(t->dtype) && t->dtype != BOOL)
            element_put_int(t->data, k, t->dtype, floats[k] < 0.5f ? 0 : 1);
    return true;
}

/* -- options -- */

bool options_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    const error_t error = argp_parse(argp, argc, argv, 0, NULL, input);

    if (error)
        fprintf(stderr, "kiln: the options cannot be read: %s\n", strerror(error));
    return !error;
}

int64_t option_number(struct argp_state *state, const char *name, const char *arg, int64_t least, int64_t most)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(arg, &end, 10);
    if (end == arg || *end || errno || n < least || n > most)
        argp_error(state, "--%s is '%s', must be a whole number from %lld to %lld", name, arg, (long long)least,
                   (long long)most);
    return n;
}

double option_real(struct argp_state *state, const char *name, const char *arg, double low, double high)
{
    double x = 0;
    const size_t n = decimal_read(arg, &x);

    if (!n || arg[n] || !((double)(float)x >= low) || !((double)(float)x <= high))
        argp_error(state, "--%s is '%s', must be a number from %g to %g", name, arg, low, high);
    return x;
}

/* -- output -- */

static int print_out(FILE *to, struct text *t)
{
    if (t->failed) { /* not by tell_error, which needs memory as well */
        fprintf(stderr, "kiln: %s\n", t->report->error.message);
        return -(int)t->report->error.code;
    }
    if (t->length)
        fwrite(t->data, 1, t->length, to);
    return 0;
}

static bool unsaid; /* there was no memory for a line */

static void end_saying(FILE *to, struct text *t)
{
    unsaid |= print_out(to, t) != 0;
    text_release(t);
}

bool said_all(void)
{
    return !unsaid;
}

void say_to(FILE *to, const char *format, ...)
{
    struct budget b = { 0 };
    struct report r = { 0 };
    struct text t = { .budget = &b, .report = &r };
    va_list args;

    va_start(args, format);
    text_say_v(&t, format, args);
    va_end(args);
    end_saying(to, &t);
}

void say_bytes(const char *bytes, size_t length)
{
    struct budget b = { 0 };
    struct report r = { 0 };
    struct text t = { .budget = &b, .report = &r };

    text_add_shown(&t, bytes, length);
    end_saying(stdout, &t);
}

/* Lines stay lines; in a text that describes a model, tabs stay tabs. */
static void add_lines(struct text *to, const char *s, size_t length)
{
    for (size_t from = 0; from < length;) {
        size_t n = 0;

        while (from + n < length && s[from + n] != '\n' && s[from + n] != '\t')
            n++;
        text_add_shown(to, s + from, n);
        from += n;
        if (from < length)
            text_add(to, s + from++, 1);
    }
}

int print_text(struct text *t)
{
    struct text shown = { .budget = t->budget, .report = t->report };
    int code;

    if (t->failed || !isatty(STDOUT_FILENO))
        return print_out(stdout, t);
    add_lines(&shown, t->data, t->length);
    code = print_out(stdout, &shown);
    text_release(&shown);
    return code;
}
