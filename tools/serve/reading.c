#include "serve/reading.h"
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* -- memory -- */

bool account_hold(struct account *a, size_t bytes)
{
    const size_t most = a->command->limits.memory, before = atomic_fetch_add(&a->held, bytes),
                 used = kiln_context_memory(a->command->context, NULL);

    if (!most || (used <= most && before <= most - used && bytes <= most - used - before))
        return true;
    account_release(a, bytes);
    return false;
}

void account_release(struct account *a, size_t bytes)
{
    atomic_fetch_sub(&a->held, bytes);
}

/* A text of brackets takes fifty times as much when it is read: what it takes is counted while it is taken, in pieces
 * that spare the others who count. */
enum { PIECE = 1 << 20 };

static _Thread_local struct {
    struct account *account;
    size_t taken, held;
    bool failed;
} now;

static void *take(size_t size)
{
    void *p;

    if (now.taken + size > now.held) {
        const size_t more = size > PIECE ? size : PIECE;

        if (!now.account || !account_hold(now.account, more)) {
            now.failed = true;
            return NULL;
        }
        now.held += more;
    }
    p = malloc(size);
    now.failed |= !p;
    now.taken += p ? malloc_usable_size(p) : 0;
    return p;
}

static void give(void *p)
{
    now.taken -= p ? malloc_usable_size(p) : 0;
    free(p);
}

void reading_start(void)
{
    json_set_alloc_funcs(take, give);
}

/* -- JSON -- */

/* The reader calls itself for a list in a list. */
static bool too_deep(const char *s, size_t length)
{
    bool quoted = false;
    int depth = 0;

    for (size_t k = 0; k < length && depth <= READING_DEPTH; k++)
        if (quoted && s[k] == '\\')
            k++;
        else if (s[k] == '"')
            quoted = !quoted;
        else if (!quoted)
            depth += (s[k] == '[' || s[k] == '{') - (s[k] == ']' || s[k] == '}');
    return depth > READING_DEPTH;
}

reading reading_begin(json_t **out, const char *text, size_t length, struct account *a, char why[READING_WHY])
{
    json_error_t error;

    *out = NULL;
    if (too_deep(text, length)) {
        snprintf(why, READING_WHY, "the JSON is nested deeper than %d", (int)READING_DEPTH);
        return READING_BAD;
    }
    now.account = a;
    *out = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (*out)
        return READING_OK;
    if (now.failed) { /* which the library does not always tell */
        reading_end(NULL);
        snprintf(why, READING_WHY, "there is no memory to read the JSON");
        return READING_NO_MEMORY;
    }
    reading_end(NULL);
    snprintf(why, READING_WHY, "the JSON cannot be read: %s, at byte %d", error.text, error.position);
    return READING_BAD;
}

void reading_end(json_t *root)
{
    json_decref(root);
    if (now.account)
        account_release(now.account, now.held);
    now.account = NULL;
    now.taken = now.held = 0;
    now.failed = false;
}
