/* Help texts with what the library's tables hold, and options. */
#include "tools.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* -- help -- */

static const struct blank {
    const char *name;
    kiln_table table;
    bool help;
} blanks[] = {
    { "{data}", KILN_FORMATS, false },
    { "{data:}", KILN_FORMATS, true },
    { "{losses}", KILN_LOSSES, false },
    { "{losses:}", KILN_LOSSES, true },
    { "{optimizers}", KILN_OPTIMIZERS, false },
    { "{optimizers:}", KILN_OPTIMIZERS, true },
    { "{schedules}", KILN_SCHEDULES, false },
    { "{schedules:}", KILN_SCHEDULES, true },
    { "{regularizers}", KILN_REGULARIZERS, false },
    { "{regularizers:}", KILN_REGULARIZERS, true },
    { "{plateau:}", KILN_PLATEAU, true },
    { "{metrics}", KILN_METRICS, false },
    { "{metrics:}", KILN_METRICS, true },
    { "{augmentation:}", KILN_AUGMENTATION, true },
    { "{initialisers:}", KILN_INITIALIZERS, true },
};

/* How many bytes of `text` it takes the place of. */
static size_t fill(struct page *out, const char *text)
{
    for (size_t k = 0; k < sizeof blanks / sizeof *blanks; k++) {
        const size_t n = strlen(blanks[k].name);

        if (strncmp(text, blanks[k].name, n) == 0) {
            kiln_table_write(blanks[k].table, blanks[k].help, page_write, out, NULL);
            return n;
        }
    }
    page_add(out, text, 1);
    return 1;
}

char *help_filled(int key, const char *text, void *input)
{
    struct page out = { 0 };

    (void)key;
    (void)input;
    if (!text || !strchr(text, '{'))
        return (char *)(uintptr_t)text;
    for (const char *s = text; *s;)
        s += fill(&out, s);
    if (!out.failed)
        return out.text; /* argp frees it */
    fputs("kiln: there is no memory for the help\n", stderr);
    exit(-KILN_NO_MEMORY);
}

/* -- options -- */

bool options_parse(const struct argp *argp, int argc, char **argv, void *input)
{
    const error_t error = argp_parse(argp, argc, argv, 0, NULL, input);

    if (error)
        fprintf(stderr, "kiln: the options cannot be read: %s\n", strerror(error));
    return !error;
}

void option_model(struct argp_state *state, const char **model, const char *arg)
{
    if (*model)
        argp_error(state, "one model at a time, '%s' is a second one", arg);
    *model = arg;
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

/* The command never calls setlocale: a point is a point. */
size_t read_real(const char *s, double *out)
{
    const size_t n = strspn(s, "+-0123456789.eEnaNifIF");
    char *end = (char *)(uintptr_t)s;

    if (n)
        *out = strtod(s, &end);
    return (size_t)(end - s) == n ? n : 0;
}

double option_real(struct argp_state *state, const char *name, const char *arg, double low, double high)
{
    double x = 0;
    const size_t n = read_real(arg, &x);

    if (!n || arg[n] || !((double)(float)x >= low) || !((double)(float)x <= high))
        argp_error(state, "--%s is '%s', must be a number from %g to %g", name, arg, low, high);
    return x;
}
