#include "names.h"
#include "kiln.h"
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 199 }; /* bytes, which leaves room for a number and a suffix */

/* No more than fits, and no half of a character. */
static size_t shortened(const char *name)
{
    size_t n = strlen(name);

    if (n <= MOST)
        return n;
    for (n = MOST; n > MOST - 4 && ((unsigned char)name[n] & 0xc0) == 0x80; n--)
        ;
    return n;
}

/* What could leave the directory, hide in it, or do something to a terminal (kiln_shown) becomes '_'. True where the
 * name is as it was. */
static bool clean(char to[FILE_NAME], const char *name)
{
    const size_t n = shortened(name);

    if (!n)
        return strcpy(to, "_"), false;
    for (size_t k = 0; k < n;) {
        const size_t shown = kiln_shown(name + k, n - k);

        if (!shown || name[k] == '/' || name[k] == '\\' || (name[k] == '.' && !k))
            to[k++] = '_';
        else
            for (size_t end = k + shown; k < end; k++)
                to[k] = name[k];
    }
    to[n] = 0;
    return strcmp(to, name) == 0;
}

/* -- sets of names, as trees (search.h) -- */

struct taken {
    unsigned made; /* how many others were made of it */
    char name[FILE_NAME];
};

static int compare_taken(const void *a, const void *b)
{
    return strcmp(((const struct taken *)a)->name, ((const struct taken *)b)->name);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void leave(void *node)
{
    (void)node;
}

static struct taken *find(void *const *tree, const char *name)
{
    struct taken key;
    struct taken **found;

    snprintf(key.name, sizeof key.name, "%s", name);
    found = tfind(&key, tree, compare_taken);
    return found ? *found : NULL;
}

/* The name is not taken yet. False where there is no memory. */
static bool take(void **tree, char to[FILE_NAME], const char *name)
{
    struct taken *t = malloc(sizeof *t);

    if (!t)
        return false;
    t->made = 1;
    snprintf(t->name, sizeof t->name, "%s", name);
    if (!tsearch(t, tree, compare_taken)) {
        free(t);
        return false;
    }
    strcpy(to, t->name);
    return true;
}

static bool take_another(void **tree, char to[FILE_NAME], const char *name)
{
    struct taken *const first = find(tree, name);
    char numbered[FILE_NAME];

    if (!first)
        return take(tree, to, name);
    do
        snprintf(numbered, sizeof numbered, "%.*s_%u", (int)MOST, name, ++first->made);
    while (find(tree, numbered));
    return take(tree, to, numbered);
}

bool names_of_files(char (*files)[FILE_NAME], const char *const names[], size_t count)
{
    void *taken = NULL, *met = NULL;
    char name[FILE_NAME];
    bool ok = true;

    for (size_t k = 0; ok && k < count; k++) { /* those that can stay have their names first */
        *files[k] = 0;
        if (clean(name, names[k]) && !find(&taken, names[k]))
            ok = take(&taken, files[k], names[k]);
    }
    for (size_t k = 0; ok && k < count; k++)
        if (!clean(name, names[k]) && !tfind(names[k], &met, compare_names))
            ok = tsearch(names[k], &met, compare_names) && take_another(&taken, files[k], name);
    tdestroy(taken, free);
    tdestroy(met, leave);
    return ok;
}
