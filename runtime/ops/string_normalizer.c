/* StringNormalizer, https://onnx.ai/onnx/operators/onnx__StringNormalizer.html
 *
 * X [C] or [1, C] without its stop words, in lower or upper case, or as it was; one empty string where nothing is left.
 *
 * Letters have one letter in the other case each, as in onnxruntime: "ß" stays as it is. The locale matters where it is
 * Turkish or Azerbaijani, whose i has a dot in upper case, too; all others are as en_US. Where stop words are found in
 * any case, they are compared in upper case if that is what is asked for, and else in lower case. The reference also
 * takes accents from letters, looks for stop words between the blanks of a string, and drops empty strings. */
#include "base/utf8.h"
#include "ops/lookup.h"
#include "ops/rank.h"
#include "ops/strings.h"
#include <string.h>

enum letter_case { CASE_NONE, CASE_LOWER, CASE_UPPER };

struct string_normalizer {
    enum letter_case change, compare; /* compare: of stop words */
    bool dotted;                      /* i and I are two letters */
    int64_t count;                    /* of stop words */
    struct lookup stopwords;
};

/* -- letters -- */

static uint32_t changed(const struct string_normalizer *a, enum letter_case to, uint32_t code)
{
    if (to == CASE_LOWER)
        return a->dotted && code == 'I' ? 0x131 : a->dotted && code == 0x130 ? 'i' : utf8_lower(code);
    return a->dotted && code == 'i' ? 0x130 : utf8_upper(code);
}

/* The bytes of a string in that case, into `out` where that is not NULL. False where it is not UTF-8. */
static bool change(const struct string_normalizer *a, enum letter_case to, const char *s, size_t length, char *out,
                   size_t *bytes)
{
    char letter[4];
    uint32_t code;
    size_t n;

    *bytes = 0;
    for (size_t at = 0; at < length; at += n) {
        size_t width;

        n = utf8_decode(s + at, length - at, &code);
        if (!n)
            return false;
        width = utf8_encode(to == CASE_NONE ? code : changed(a, to, code), letter);
        if (out)
            memcpy(out + *bytes, letter, width);
        *bytes += width;
    }
    return true;
}

/* -- read -- */

static bool is_language(const char *locale, const char *language)
{
    return strncmp(locale, language, 2) == 0 &&
           (!locale[2] || locale[2] == '_' || locale[2] == '-' || locale[2] == '.');
}

/* Stop words in the case in which they are compared. */
static bool read_stopwords(struct parse *p, struct string_normalizer *a, const struct attr *words)
{
    a->count = words ? (int64_t)words->count : 0;
    if (!lookup_init(&a->stopwords, p, (size_t)a->count))
        return false;
    for (int64_t k = 0; k < a->count; k++) {
        const struct bytes *word = &words->strings[k];
        size_t length;
        char *copy;

        if (!change(a, a->compare, word->data, word->length, NULL, &length))
            return parse_error(p, "stopwords[%lld] is not UTF-8", (long long)k);
        copy = parse_alloc(p, length + 1);
        if (!copy)
            return false;
        change(a, a->compare, word->data, word->length, copy, &length);
        lookup_put(&a->stopwords, copy, length, k);
    }
    return true;
}

static bool parse(struct parse *p, void *attrs)
{
    static const char *const names[] = { "NONE", "LOWER", "UPPER", NULL };
    struct string_normalizer *a = attrs;
    const char *const locale = attr_string(p, "locale", "en_US");
    const bool sensitive = attr_int(p, "is_case_sensitive", 0);
    const struct attr *words = attr_list(p, "stopwords", ATTR_STRINGS);

    a->change = (enum letter_case)attr_choice(p, "case_change_action", names, CASE_NONE);
    a->compare = sensitive ? CASE_NONE : a->change == CASE_UPPER ? CASE_UPPER : CASE_LOWER;
    a->dotted = is_language(locale, "tr") || is_language(locale, "az");
    if ((a->change || (a->compare && words && words->count)) && !utf8_knows_case())
        return parse_unsupported(p, "the locale C.UTF-8, by which the case of letters is changed, is missing");
    return read_stopwords(p, a, words);
}

/* -- plan -- */

static bool infer(struct infer *i)
{
    const struct tensor *x = typed_in(i, 0);
    const int64_t dims[] = { 1, UNKNOWN };
    int64_t bytes;

    if (x->rank != 1 && !(x->rank == 2 && x->dims[0] == 1)) {
        char text[TYPE_TEXT];

        return infer_error(i, "'X' is %s, must be [C] or [1, C]", tensor_text(x, text));
    }
    if (!mul_size(tensor_count(x), sizeof(struct string *), &bytes))
        return infer_error(i, "'X' has too many elements");
    need_scratch(i, to_size(bytes));
    return set_out(i, 0, STRING, x->rank, dims + 2 - x->rank);
}

/* -- run -- */

/* Is it to be left out? `room` is for what it is in the other case. */
static bool is_stopword(const struct string_normalizer *a, const struct string *x, char *room)
{
    size_t length = string_length(x);

    if (a->compare == CASE_NONE)
        return lookup_get(&a->stopwords, string_bytes(x), length) >= 0;
    change(a, a->compare, string_bytes(x), length, room, &length);
    return lookup_get(&a->stopwords, room, length) >= 0;
}

/* Are all elements UTF-8 where letters matter? *longest: what one of them takes at most to be compared. */
static bool check(struct step *s, size_t *longest)
{
    const struct string_normalizer *a = s->attrs;
    const struct string *const *x = s->in[0]->data;
    const enum letter_case to = a->count && a->compare ? a->compare : a->change;
    size_t length;

    *longest = 0;
    for (int64_t k = 0; to && k < tensor_count(s->in[0]); k++) {
        if (!change(a, to, string_bytes(x[k]), string_length(x[k]), NULL, &length))
            return step_error(s, "element %lld of 'X' is not UTF-8", (long long)k);
        *longest = length > *longest ? length : *longest;
    }
    return true;
}

/* Elements that stay, in scratch. -1 with an error. */
static int64_t keep(struct step *s, const struct string **kept)
{
    const struct string_normalizer *a = s->attrs;
    const struct string *const *x = s->in[0]->data;
    size_t longest;
    char *room = check(s, &longest) ? heap_alloc(s->heap, longest + 1, s->report) : NULL;
    int64_t n = 0;

    if (!room)
        return -1;
    for (int64_t k = 0; k < tensor_count(s->in[0]) && (k % STRINGS_OFTEN || !pool_late(s->pool)); k++)
        if (!a->count || !is_stopword(a, x[k], room))
            kept[n++] = x[k];
    heap_free(s->heap, room);
    return n;
}

static bool put(struct step *s, const struct string *const *kept, int64_t n)
{
    const struct string_normalizer *a = s->attrs;
    const struct string **y = s->out[0]->data;
    size_t room = 0, length;
    char *at;

    for (int64_t k = 0; k < n; k++) {
        change(a, a->change, string_bytes(kept[k]), string_length(kept[k]), NULL, &length);
        room += string_room(length);
    }
    at = heap_alloc(s->heap, room + 1, s->report);
    for (int64_t k = 0; at && k < n; k++) {
        struct string *to;

        change(a, a->change, string_bytes(kept[k]), string_length(kept[k]), NULL, &length);
        to = string_put(&at, length);
        change(a, a->change, string_bytes(kept[k]), string_length(kept[k]), to->bytes, &length);
        y[k] = to;
    }
    return at;
}

static bool run(struct step *s)
{
    const struct string_normalizer *a = s->attrs;
    const struct string **kept = s->scratch;
    const int rank = s->in[0]->rank;
    const int64_t n = keep(s, kept), dims[] = { 1, n ? n : 1 };

    if (n < 0 || !step_alloc(s, 0, STRING, rank, dims + 2 - rank))
        return false;
    if (!n)
        *(const struct string **)s->out[0]->data = NULL;
    if (a->change)
        return put(s, kept, n);
    if (n)
        memcpy(s->out[0]->data, kept, (size_t)n * sizeof(const struct string *));
    return true;
}

/* -- test -- */

static const struct op_case cases[] = {
    { "str[4]{'Monday','tuesday','','Wednesday'}", "case_change_action='LOWER' stopwords=['monday']", "str[3]", 0 },
    { "str[1,3]{'Monday','tuesday','a'}", "case_change_action='UPPER' is_case_sensitive=1 stopwords=['monday','a']",
      "str[1,2]", 0 },
    { "str[2]{'a','A'}", "stopwords=['a'] locale='en_US'", "str[1]", 0 },
    { "str[3]", "", "str[3]", 0 },
    { "str[1,0]", "case_change_action='LOWER'", "str[1,1]", 0 },
    { 0 },
};

const struct op op_string_normalizer = {
    .name = "StringNormalizer",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 10,
                                       .signature = "T X -> T Y",
                                       .types = "T: str",
                                       .attrs_size = sizeof(struct string_normalizer),
                                       .parse = parse,
                                       .rank = rank_of_input,
                                       .infer = infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .cases = cases },
                                     { 0 } },
};
