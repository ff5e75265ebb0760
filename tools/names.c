#include "names.h"
#include "base/map.h"
#include "base/utf8.h"
#include <stdio.h>
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

/* What could leave the directory, hide in it, or do something to a terminal (base/utf8.h) becomes '_'. True where the
 * name is as it was. */
static bool clean(char to[MOST + 1], const char *name)
{
    const size_t n = shortened(name);

    if (!n)
        return strcpy(to, "_"), false;
    for (size_t k = 0; k < n;) {
        const size_t shown = utf8_shown(name + k, n - k);

        if (!shown || name[k] == '/' || name[k] == '\\' || (name[k] == '.' && !k))
            to[k++] = '_';
        else
            for (size_t end = k + shown; k < end; k++)
                to[k] = name[k];
    }
    to[n] = 0;
    return strcmp(to, name) == 0;
}

/* Keeps the name, which is not taken yet. The value counts those that were made of it. */
static const char *take(struct map *taken, const char *name, struct arena *a, struct report *r)
{
    const char *kept = arena_string(a, name, strlen(name), r);
    void **slot = kept ? map_put(taken, kept, r) : NULL;

    if (!slot)
        return NULL;
    *slot = (void *)(uintptr_t)1;
    return kept;
}

static const char *take_another(struct map *taken, const char *name, struct arena *a, struct report *r)
{
    char numbered[MOST + 32];
    void **count;
    uintptr_t n;

    if (!map_has(taken, name))
        return take(taken, name, a, r);
    count = map_put(taken, name, r);
    if (!count)
        return NULL;
    n = (uintptr_t)*count;
    do
        snprintf(numbered, sizeof numbered, "%s_%zu", name, (size_t)++n);
    while (map_has(taken, numbered));
    *count = (void *)n;
    return take(taken, numbered, a, r);
}

bool names_of_files(const char *files[], const char *const names[], size_t count, struct arena *a, struct report *r)
{
    struct map taken, met;
    char name[MOST + 1];
    bool ok = true;

    map_init(&taken, a->budget);
    map_init(&met, a->budget);
    for (size_t k = 0; ok && k < count; k++) { /* those that can stay have their names first */
        files[k] = NULL;
        if (clean(name, names[k]) && !map_has(&taken, names[k]))
            ok = (files[k] = take(&taken, names[k], a, r)) != NULL;
    }
    for (size_t k = 0; ok && k < count; k++)
        if (!clean(name, names[k]) && !map_has(&met, names[k]))
            ok = map_put(&met, names[k], r) && (files[k] = take_another(&taken, name, a, r)) != NULL;
    map_release(&taken);
    map_release(&met);
    return ok;
}
