/* Help texts with what the library's tables hold. */
#include "data/format.h"
#include "tools.h"
#include "train/fit.h"
#include "train/initialisers.h"
#include <stdlib.h>
#include <string.h>

static void put_optimizers(struct text *out)
{
    spec_names(out, optimizer_table);
}

static void put_losses(struct text *out)
{
    spec_names(out, loss_table);
}

static void tell_optimizers(struct text *out)
{
    spec_help(out, optimizer_table);
}

static void tell_losses(struct text *out)
{
    spec_help(out, loss_table);
}

static void tell_metrics(struct text *out)
{
    spec_help(out, metric_table);
}

static void tell_initialisers(struct text *out)
{
    spec_help(out, initialiser_table);
}

static const struct blank {
    const char *name;
    void (*put)(struct text *out);
} blanks[] = {
    { "{data}", format_names },           { "{data:}", format_help },     { "{optimizers}", put_optimizers },
    { "{optimizers:}", tell_optimizers }, { "{losses}", put_losses },     { "{losses:}", tell_losses },
    { "{measures}", measure_names },      { "{metrics:}", tell_metrics }, { "{initialisers:}", tell_initialisers },
};

/* How many bytes of `text` it takes the place of. */
static size_t fill(struct text *out, const char *text)
{
    for (size_t k = 0; k < sizeof blanks / sizeof *blanks; k++) {
        const size_t n = strlen(blanks[k].name);

        if (strncmp(text, blanks[k].name, n) == 0) {
            blanks[k].put(out);
            return n;
        }
    }
    text_add(out, text, 1);
    return 1;
}

char *help_filled(int key, const char *text, void *input)
{
    struct budget b = { 0 };
    struct text out = { .budget = &b };
    char *filled = NULL;

    (void)key;
    (void)input;
    if (!text || !strchr(text, '{'))
        return (char *)(uintptr_t)text;
    for (const char *s = text; *s;)
        s += fill(&out, s);
    if (!out.failed)
        filled = strdup(out.data); /* argp frees it */
    text_release(&out);
    if (filled)
        return filled;
    fputs("kiln: there is no memory for the help\n", stderr);
    exit(-KILN_NO_MEMORY);
}
