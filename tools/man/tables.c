/* The options of a verb in the order of its --help, as far as groups go. */
#include "man.h"
#include <stdlib.h>
#include <string.h>

static void *need(void *p)
{
    if (!p) {
        fputs("there is no memory\n", stderr);
        exit(-KILN_NO_MEMORY);
    }
    return p;
}

char *filled(const struct argp *argp, int key, const char *text)
{
    char *made = text && argp->help_filter ? argp->help_filter(key, text, NULL) : (char *)(uintptr_t)text;

    return !text ? NULL : made == text ? need(strdup(text)) : made;
}

char *description(const struct argp *argp, int behind)
{
    const char *cut = strchr(argp->doc, '\v');
    char *part, *made;

    if (behind)
        return cut ? filled(argp, ARGP_KEY_HELP_POST_DOC, cut + 1) : NULL;
    part = need(strndup(argp->doc, cut ? (size_t)(cut - argp->doc) : strlen(argp->doc)));
    made = filled(argp, ARGP_KEY_HELP_PRE_DOC, part);
    free(part);
    return made;
}

static bool is_end(const struct argp_option *o)
{
    return !o->name && !o->key && !o->doc && !o->group;
}

static bool is_heading(const struct argp_option *o)
{
    return !o->name && !o->key;
}

/* As argp has it: one without a group is in that of the option before it, a heading begins another. */
static int group_of(const struct argp_option *o, int before)
{
    return o->group ? o->group : is_heading(o) ? before + 1 : before;
}

static void add(struct rows *rows, const struct argp *argp, const struct argp_option *o, const char *heading)
{
    struct row *r;

    rows->of = need(realloc(rows->of, (rows->count + 1) * sizeof *rows->of));
    r = &rows->of[rows->count++];
    *r = (struct row){ heading, o->name, o->key > ' ' && o->key < 127 ? (char)o->key : 0, o->arg,
                       filled(argp, o->key, o->doc ? o->doc : "") };
}

/* An argp's children have a group of its own each, and their own groups in it. */
static void add_argp(struct rows *rows, const struct argp *argp, const char *above)
{
    int last = 0;

    for (int group = 0; group <= last; group++) {
        const char *heading = above;
        int at = 0;

        for (const struct argp_option *o = argp->options; o && !is_end(o); o++) {
            at = group_of(o, at);
            last = at > last ? at : last;
            if (at == group && is_heading(o))
                heading = o->doc;
            else if (at == group)
                add(rows, argp, o, heading);
        }
        for (const struct argp_child *child = argp->children; child && child->argp; child++) {
            last = child->group > last ? child->group : last;
            if (child->group == group)
                add_argp(rows, child->argp, child->header ? child->header : above);
        }
    }
}

struct rows rows_of(const struct argp *argp)
{
    static const struct argp_option always[] = {
        { "help", '?', NULL, 0, "tell all this", 0 },
        { "usage", 0x1000, NULL, 0, "tell it in brief", 0 },
        { 0 },
    };
    static const struct argp common = { .options = always };
    struct rows rows = { 0 };

    add_argp(&rows, argp, NULL);
    add_argp(&rows, &common, rows.count && rows.of[rows.count - 1].heading ? "Help:" : NULL);
    return rows;
}

void rows_free(struct rows *rows)
{
    for (size_t k = 0; k < rows->count; k++)
        free(rows->of[k].text);
    free(rows->of);
    *rows = (struct rows){ 0 };
}
