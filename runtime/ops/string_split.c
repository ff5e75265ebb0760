/* StringSplit, https://onnx.ai/onnx/operators/onnx__StringSplit.html
 *
 *   Y[..., k] = part k of X[...], Z[...] = how many there are        Y has empty strings behind the last part
 *
 * Parts lie between delimiters. Without one they lie between runs of white space (Unicode's White_Space), and the last
 * part has none at its end; onnxruntime knows the blank alone. After `maxsplit` splits the rest is one part. An empty
 * string has no part where white space delimits; else it has one, as in the reference (onnxruntime: none). */
#include "base/utf8.h"
#include "ops/rank.h"
#include "ops/strings.h"
#include <string.h>

struct string_split {
    const char *delimiter; /* "": white space */
    size_t length;
    int64_t most; /* splits; -1: any number */
};

/* -- read -- */

static bool parse(struct parse *p, void *attrs)
{
    struct string_split *a = attrs;

    a->delimiter = attr_string(p, "delimiter", "");
    a->length = strlen(a->delimiter);
    a->most = attr_int(p, "maxsplit", -1);
    return true;
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x < 0 ? UNKNOWN : x + (k == 0);
}

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[MAX_RANK + 1];

    memcpy(dims, x->dims, sizeof x->dims);
    dims[x->rank] = UNKNOWN;
    return set_out(i, 0, STRING, x->rank + 1, dims) && set_out(i, 1, I64, x->rank, x->dims);
}

/* -- run -- */

/* What is left of a string, and how many parts have been taken. */
struct rest {
    const char *at, *end;
    int64_t taken;
    bool over;
};

/* Where white space ends, or begins. */
static const char *skip(const char *at, const char *end, bool space)
{
    while (at < end) {
        uint32_t code = 0;
        const size_t n = utf8_decode(at, (size_t)(end - at), &code);

        if ((n && utf8_is_space(code)) != space)
            break;
        at += n ? n : 1;
    }
    return at;
}

static const char *without_space_behind(const char *at, const char *end)
{
    const char *last = at;

    while (at < end) {
        at = skip(at, end, false);
        last = at;
        at = skip(at, end, true);
    }
    return last;
}

static bool next_word(const struct string_split *a, struct rest *r, const char **part, size_t *length)
{
    r->at = skip(r->at, r->end, true);
    if (r->at == r->end)
        return false;
    *part = r->at;
    r->at = r->taken++ == a->most ? without_space_behind(r->at, r->end) : skip(r->at, r->end, false);
    *length = (size_t)(r->at - *part);
    return true;
}

static bool next_part(const struct string_split *a, struct rest *r, const char **part, size_t *length)
{
    const char *found;

    if (!a->length)
        return next_word(a, r, part, length);
    if (r->over)
        return false;
    found = r->taken++ == a->most ? NULL : memmem(r->at, (size_t)(r->end - r->at), a->delimiter, a->length);
    *part = r->at;
    *length = (size_t)((found ? found : r->end) - r->at);
    r->over = !found;
    r->at = found ? found + a->length : r->end;
    return true;
}

static struct rest whole(const struct string *s)
{
    return (struct rest){ .at = string_bytes(s), .end = string_bytes(s) + string_length(s) };
}

/* Numbers of parts into `counts` (NULL: nobody asks), the greatest of them, and the room for all parts. */
static bool count_parts(struct step *s, int64_t *counts, int64_t *most, size_t *room)
{
    const struct string *const *x = s->in[0]->data;
    const char *part;
    size_t length;

    *most = 0;
    *room = 0;
    for (int64_t k = 0; k < tensor_count(s->in[0]); k++) {
        struct rest r = whole(x[k]);
        int64_t count = 0;

        if (k % STRINGS_OFTEN == 0 && pool_late(s->pool))
            return false;
        for (; next_part(s->attrs, &r, &part, &length); count++)
            *room += length ? string_room(length) : 0;
        if (counts)
            counts[k] = count;
        *most = count > *most ? count : *most;
    }
    return true;
}

static bool put_parts(struct step *s, int64_t most, size_t room)
{
    const struct string *const *x = s->in[0]->data;
    struct string **y = s->out[0]->data;
    char *at = heap_alloc(s->heap, room + 1, s->report);
    const char *part;
    size_t length;

    for (int64_t k = 0; at && k < tensor_count(s->in[0]); k++) {
        struct rest r = whole(x[k]);
        int64_t p = 0;

        for (; next_part(s->attrs, &r, &part, &length); p++) {
            y[k * most + p] = length ? string_put(&at, length) : NULL;
            if (length)
                memcpy(y[k * most + p]->bytes, part, length);
        }
        for (; p < most; p++)
            y[k * most + p] = NULL;
    }
    return at;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];
    int64_t dims[MAX_RANK + 1], most;
    size_t room;

    if (!count_parts(s, s->out[1] ? s->out[1]->data : NULL, &most, &room))
        return true; /* the time is over */
    if (!s->out[0])
        return true;
    memcpy(dims, x->dims, sizeof x->dims);
    dims[x->rank] = most;
    return step_alloc(s, 0, STRING, x->rank + 1, dims) && put_parts(s, most, room);
}

/* -- test -- */

static const struct op_case cases[] = {
    { "str[2,2]{'a,b,c','',',x',','}", "delimiter=','", "str[2,2,3] i64[2,2]", 0 },
    { "str[3]{'a--b--c','--','a'}", "delimiter='--' maxsplit=1", "str[3,2] i64[3]", 0 },
    { "str[2]{'abc','de'}", "", "str[2,1] i64[2]", 0 },
    { "str[]", "", "str[0] i64[]", 0 },
    { "str[0,3]", "delimiter=' '", "str[0,3,0] i64[0,3]", 0 },
    { "str[2]{'a,b','c'}", "delimiter=','", "- i64[2]", 0 },
    { 0 },
};

const struct op op_string_split = {
    .name = "StringSplit",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 20,
                                       .signature = "T1 X -> T2 Y, T3 Z",
                                       .types = "T1: str; T2: str; T3: i64",
                                       .attrs_size = sizeof(struct string_split),
                                       .parse = parse,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .cases = cases },
                                     { 0 } },
};
