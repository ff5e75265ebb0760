/* Tokenizer of com.microsoft, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 *
 *   Y[..., k] = token k of X[...], pad_value behind the last one        X [C] or [N, C]
 *
 * What scikit-learn's vectorizers of text are converted to. Tokens are what `tokenexp` matches, the longest match of the
 * first place first, or what is left between the matches of all `separators`; in RE2's syntax (ops/regex.h). Those of less
 * than mincharnum characters are none. The empty separator, and the expression ".", make a token of each character. `mark`
 * puts \x02 before the first token and \x03 behind the last, where there is a token at all. Without elements Y has one
 * dimension more than X all the same (onnxruntime: not then), and a separator that matches nothing separates nothing
 * (onnxruntime: what it was looked for in is lost). */
#include "ops/rank.h"
#include "ops/regex.h"
#include "ops/strings.h"
#include <string.h>

struct tokenizer {
    bool mark, by_character;
    int64_t least;              /* characters of a token */
    int64_t separators;         /* 0: `tokens` are looked for */
    const struct regex *regex;  /* [separators], or the one of tokens */
    struct string *const *word; /* PAD, BEGIN, END */
};

enum { PAD, BEGIN, END, WORDS };

/* -- read -- */

static bool read_regexes(struct parse *p, struct tokenizer *a, const char *tokenexp, const struct attr *separators)
{
    struct regex *r = parse_alloc(p, (size_t)(a->separators ? a->separators : 1) * sizeof *r);

    a->regex = r;
    if (!r || !a->separators)
        return r && regex_parse(p, r, "tokenexp", tokenexp, false);
    for (int64_t k = 0; k < a->separators; k++) {
        const struct bytes *from = &separators->strings[k];
        char *pattern = parse_alloc(p, from->length + 1); /* ended by NUL */

        if (!pattern)
            return false;
        if (from->length)
            memcpy(pattern, from->data, from->length);
        if (!from->length || strlen(pattern) != from->length)
            return parse_error(p, "separators[%lld] is empty, or holds NUL", (long long)k);
        if (!regex_parse(p, &r[k], "separators", pattern, false))
            return false;
    }
    return true;
}

static bool parse(struct parse *p, void *attrs)
{
    struct tokenizer *a = attrs;
    const char *const tokenexp = attr_string(p, "tokenexp", ""), *const pad = attr_string(p, "pad_value", "");
    const struct attr *separators = attr_list(p, "separators", ATTR_STRINGS);
    const struct bytes words[WORDS] = { { strlen(pad), pad }, { 1, "\x02" }, { 1, "\x03" } };

    a->mark = attr_int(p, "mark", 0);
    a->least = attr_int(p, "mincharnum", 0);
    a->separators = separators ? (int64_t)separators->count : 0;
    a->by_character = a->separators ? a->separators == 1 && !separators->strings->length : strcmp(tokenexp, ".") == 0;
    a->word = parse_strings(p, WORDS, words);
    if (!attr_given(p, "pad_value") || !attr_given(p, "mark"))
        return parse_error(p, "attribute '%s' is missing", attr_given(p, "mark") ? "pad_value" : "mark");
    if (a->least < 1 || (a->by_character && a->least > 1))
        return parse_error(p, "mincharnum is %lld, must be %s", (long long)a->least,
                           a->by_character ? "1 as tokens are characters" : "at least 1");
    if (!*tokenexp == !a->separators)
        return parse_error(p, "one of 'tokenexp' and 'separators' must be given, %s",
                           *tokenexp ? "both are" : "none is");
    return a->word && (a->by_character || read_regexes(p, a, tokenexp, separators));
}

/* -- plan -- */

static int rank(const struct node *n, int k)
{
    const int x = rank_of_input(n, k);

    return x < 0 ? UNKNOWN : x + 1;
}

static bool infer(struct infer *i)
{
    const struct tokenizer *a = infer_attrs(i);
    const struct tensor *x = typed_in(i, 0);
    int64_t dims[3] = { 0 }, bytes;

    if (x->rank != 1 && x->rank != 2)
        return infer_error(i, "'X' has %d dimensions, must have 1 or 2", x->rank);
    memcpy(dims, x->dims, (size_t)x->rank * sizeof *dims);
    dims[x->rank] = UNKNOWN;
    if (!mul_size(a->separators, 2 * (int64_t)sizeof(size_t), &bytes))
        return infer_error(i, "more separators than can be looked for");
    need_scratch(i, to_size(bytes));
    return set_out(i, 0, STRING, x->rank + 1, dims);
}

/* -- run -- */

/* Tokens of one element. */
struct tokens {
    struct matcher *matcher;
    const struct tokenizer *a;
    const char *s;
    size_t length;
    int64_t count;
    size_t room;         /* as strings of a block */
    struct string **put; /* where the next one goes; NULL: they are counted */
    char **block;
};

static size_t characters(const char *s, size_t length)
{
    size_t n = 0;

    for (size_t k = 0; k < length; k++)
        n += ((unsigned char)s[k] & 0xc0) != 0x80;
    return n;
}

/* From byte `at` on: where the next character begins. */
static size_t next_character(const struct tokens *t, size_t at)
{
    for (at++; at < t->length && ((unsigned char)t->s[at] & 0xc0) == 0x80; at++)
        ;
    return at;
}

static bool token(struct tokens *t, size_t from, size_t to)
{
    if (characters(t->s + from, to - from) < (size_t)t->a->least)
        return false;
    t->count++;
    t->room += string_room(to - from);
    if (t->put) {
        *t->put = string_put(t->block, to - from);
        memcpy((*t->put)->bytes, t->s + from, to - from);
        t->put++;
    }
    return true;
}

static bool find(struct tokens *t, const struct regex *r, size_t from, size_t end, size_t at, size_t span[2],
                 int *found)
{
    *found = matcher_find(t->matcher, r, t->s + from, end - from, at - from, span);
    span[0] += from;
    span[1] += from;
    return *found > 0;
}

static bool find_tokens(struct tokens *t)
{
    size_t span[2] = { 0, 0 };
    int found = 0;

    for (size_t at = 0; at < t->length && find(t, t->a->regex, 0, t->length, at, span, &found);)
        at = token(t, span[0], span[1]) ? span[1] : next_character(t, span[0]);
    return found >= 0;
}

/* What separator k has left to cut, in left[2 * k] ... left[2 * k + 1]; a piece of it goes to the next one. */
static bool cut(struct tokens *t, size_t *left)
{
    int found = 0;

    left[0] = 0;
    left[1] = t->length;
    for (int64_t k = 0; k >= 0 && found >= 0;) {
        const size_t from = left[2 * k], end = left[2 * k + 1];
        size_t at = from, span[2] = { 0, 0 };

        while (at < end && find(t, &t->a->regex[k], from, end, at, span, &found) && span[0] == span[1])
            at = next_character(t, span[0]); /* it separates nothing */
        if (at >= end || found <= 0)
            span[0] = span[1] = end;
        left[2 * k] = span[1];
        if (from == end) {
            k--;
        } else if (k + 1 < t->a->separators) {
            left[2 * ++k] = from;
            left[2 * k + 1] = span[0];
        } else {
            token(t, from, span[0]);
        }
    }
    return found >= 0;
}

static bool split(struct tokens *t, struct step *s, int64_t k)
{
    const struct string *x = ((const struct string *const *)s->in[0]->data)[k];

    t->s = string_bytes(x);
    t->length = string_length(x);
    t->count = 0;
    for (size_t at = 0, next; t->a->by_character && at < t->length; at = next) {
        next = next_character(t, at);
        token(t, at, next);
    }
    return t->a->by_character || (t->a->separators ? cut(t, s->scratch) : find_tokens(t)) ||
           step_error(s, "element %lld of 'X' takes more steps or memory to match than are allowed", (long long)k);
}

static bool put_all(struct step *s, struct tokens *t, int64_t most)
{
    const struct tokenizer *a = s->attrs;
    struct string **y = s->out[0]->data;
    char *block = heap_alloc(s->heap, t->room + 1, s->report);

    t->block = &block;
    for (int64_t k = 0; block && k < tensor_count(s->in[0]); k++, y += most) {
        t->put = y;
        if (a->mark)
            *t->put++ = a->word[BEGIN];
        if (!split(t, s, k))
            return false;
        if (a->mark)
            *t->put++ = a->word[END];
        while (t->put < y + most)
            *t->put++ = a->word[PAD];
    }
    return block;
}

static bool run(struct step *s)
{
    const struct tensor *x = s->in[0];
    const struct tokenizer *a = s->attrs;
    struct matcher m = { .step = s };
    struct tokens t = { .matcher = &m, .a = a };
    int64_t dims[3] = { x->dims[0], x->dims[1], 0 }, most = 0;
    bool ok = a->by_character || matcher_begin(&m, s);

    for (int64_t k = 0; ok && k < tensor_count(x) && !pool_late(s->pool); k++) {
        ok = split(&t, s, k);
        most = t.count > most ? t.count : most;
    }
    most += most && a->mark ? 2 : 0;
    dims[x->rank] = most;
    ok = ok && (pool_late(s->pool) || (step_alloc(s, 0, STRING, x->rank + 1, dims) && (!most || put_all(s, &t, most))));
    if (!a->by_character)
        matcher_end(&m);
    return ok;
}

/* -- test -- */

#define REST "mark=0 mincharnum=1 pad_value='#' "

static const struct op_case cases[] = {
    { "str[2]{'aé','b'}", "mark=1 mincharnum=1 pad_value='' tokenexp='.'", "str[2,4]", 0 },
    { "str[1,3]{'abc','','d'}", REST "separators=['']", "str[1,3,3]", 0 },
    { "str[0]", REST "tokenexp='.'", "str[0,0]", 0 },
    { "str[2]{'',''}", REST "tokenexp='.'", "str[2,0]", 0 },
#if KILN_PCRE2
    { "str[2]{'Hello, World','x'}", REST "tokenexp='[a-zA-Z]+'", "str[2,2]", 0 },
    { "str[1,2]{'a b;;c d','bb'}", "mark=1 mincharnum=2 pad_value='' separators=[' ',';']", "str[1,2,3]", 0 },
#endif
    { 0 },
};

const struct op op_tokenizer = {
    .name = "Tokenizer",
    .domain = "com.microsoft",
    .defs = (const struct op_def[]){ { .since = 1,
                                       .signature = "T X -> T Y",
                                       .types = "T: str",
                                       .attrs_size = sizeof(struct tokenizer),
                                       .parse = parse,
                                       .rank = rank,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .cases = cases },
                                     { 0 } },
};
