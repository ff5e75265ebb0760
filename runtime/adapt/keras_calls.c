#include "adapt/keras_calls.h"
#include "base/map.h"
#include <stdlib.h>
#include <string.h>

enum { SCOPES = 16 }; /* of a name, the outermost: in those all layers stand */

/* Its length without the number at the end, "_12"; as it is where there is none. */
static size_t without_number(const char *s, size_t length)
{
    size_t n = length;

    while (n && s[n - 1] >= '0' && s[n - 1] <= '9')
        n--;
    return n > 1 && n < length && s[n - 1] == '_' ? n - 1 : length;
}

static bool has_number(const char *s, size_t length)
{
    return without_number(s, length) < length;
}

/* All scopes of a node; *numbered: the outer two, where layers stand, have numbers. */
static bool note_scopes(struct map *scopes, const char *name, bool *numbered, struct report *r)
{
    const char *begin = name, *cut;

    for (int k = 0; k < SCOPES && (cut = strchr(begin, '/')); k++) {
        void **slot = map_put_bytes(scopes, name, (size_t)(cut - name), r);

        if (!slot)
            return false;
        *slot = scopes;
        *numbered = *numbered && (k > 1 || has_number(begin, (size_t)(cut - begin)));
        begin = cut + 1;
    }
    return true;
}

/* Is a scope called "dense_1_2", and there is no "dense_1_1" ("dense_1" for "dense_1_1")? Its first `length` bytes are what
 * it lies in. */
static bool lacks_one_before(const struct map *scopes, const char *name, size_t length, size_t outer, struct arena *a,
                             struct report *r)
{
    const size_t bare = outer + without_number(name + outer, length - outer);
    const int64_t number = bare < length ? strtoll(name + bare + 1, NULL, 10) : 0;
    const char *before;

    if (number < 1 || !has_number(name + outer, bare - outer))
        return false;
    before = number == 1 ? arena_string(a, name, bare, r)
                         : arena_printf(a, r, "%.*s_%lld", (int)bare, name, (long long)number - 1);
    return before && !map_get_bytes(scopes, before, strlen(before));
}

static bool any_lacks(const struct map *scopes, const char *name, struct arena *a, struct report *r)
{
    const char *begin = name, *cut;

    for (int k = 0; k < SCOPES && (cut = strchr(begin, '/')); k++) {
        if (lacks_one_before(scopes, name, (size_t)(cut - name), (size_t)(begin - name), a, r))
            return true;
        begin = cut + 1;
    }
    return false;
}

bool keras_calls_find(const struct graph *g, struct arena *a, bool *tell, struct report *r)
{
    struct map scopes;
    bool ok = true, numbered = true;

    *tell = false;
    map_init(&scopes, a->budget);
    for (size_t k = 0; ok && k < g->node_count; k++)
        ok = note_scopes(&scopes, node_origin(g->nodes[k])->name, &numbered, r);
    for (size_t k = 0; ok && numbered && !*tell && k < g->node_count; k++)
        *tell = any_lacks(&scopes, node_origin(g->nodes[k])->name, a, r);
    map_release(&scopes);
    return ok && !failed(r);
}

const char *keras_layer_called(const char *name, size_t length, int64_t *order, struct arena *a, struct report *r)
{
    enum { MOST = 1000 }; /* calls, which are told apart by their order */
    char *out = arena_alloc(a, length + 1, r);
    size_t n = 0;

    *order = 0;
    for (size_t begin = 0, end; out && begin < length; begin = end) {
        const char *cut = memchr(name + begin, '/', length - begin);
        const size_t scope = cut ? (size_t)(cut - name) - begin : length - begin;
        const size_t bare = without_number(name + begin, scope);

        if (bare < scope && *order < INT64_MAX / MOST - 1)
            *order = *order * MOST + strtoll(name + begin + bare + 1, NULL, 10) % MOST;
        memcpy(out + n, name + begin, bare);
        n += bare;
        end = begin + scope + (cut != NULL);
        if (cut)
            out[n++] = '/';
    }
    if (out)
        out[n] = 0;
    return out;
}
