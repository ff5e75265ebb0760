/* RegexFullMatch, https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html
 *
 *   Y = X matches the pattern from its beginning to its end
 *
 * Patterns are those of RE2. They are read by PCRE2 (https://www.pcre.org), where the library was built with it, and
 * matched by its function that follows all ways at once (pcre2_dfa_match): as RE2 it never goes back, so that no pattern
 * takes exponential time. Each string has a limit of steps all the same, and of memory; what goes beyond is an error.
 *
 * What RE2's syntax does not have is refused, what PCRE2 reads otherwise is written anew (ops/re2_syntax.h). These
 * differences stay: a pattern of more than 64 KiB when it is compiled, or nested deeper than 249, is refused, \C is, and
 * so is a repetition of what stands before (?i) or the like; repetitions may count to 65535, which RE2 refuses from 1001
 * on. A string that is not UTF-8 matches nothing; RE2 lets \C match bytes. Properties \p{...} are those of the Unicode
 * that PCRE2 knows, and letters are equal in any case by its tables. */
#include "ops/elementwise.h"
#include "ops/re2_syntax.h"
#include "ops/strings.h"
#include <string.h>
#if KILN_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#endif

struct regex {
    const void *code; /* what PCRE2 has made of the pattern; it lies with the model */
};

#if KILN_PCRE2

enum { MOST_STEPS = 10 << 20, MOST_KIB = 64 << 10, LEAST_SPACE = 1 << 10, MOST_SPACE = 1 << 24 };

/* -- read -- */

static void *alloc_with_model(PCRE2_SIZE bytes, void *parse)
{
    return parse_alloc(parse, bytes);
}

static void keep(void *p, void *parse) /* until the model goes */
{
    (void)p;
    (void)parse;
}

static bool compile(struct parse *p, struct regex *a, const char *pattern, size_t length)
{
    pcre2_general_context *g = pcre2_general_context_create(alloc_with_model, keep, p);
    pcre2_compile_context *c = g ? pcre2_compile_context_create(g) : NULL;
    const uint32_t options = PCRE2_UTF | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED;
    PCRE2_SIZE at;
    int error;

    if (!c)
        return false;
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    a->code = pcre2_compile((PCRE2_SPTR)pattern, length, options, &error, &at, c);
    if (!a->code) {
        PCRE2_UCHAR message[128] = "";

        pcre2_get_error_message(error, message, sizeof message);
        return parse_error(p, "attribute 'pattern' is not valid: %s", (const char *)message);
    }
    return true;
}

static bool read_pattern(struct parse *p, struct regex *a, const char *pattern)
{
    struct text text = { .budget = parse_node(p)->graph->arena->budget, .report = parse_node(p)->graph->report };
    size_t at;
    const char *wrong = re2_translate(pattern, &text, &at);
    bool ok = !wrong && !text.failed;

    if (wrong)
        parse_error(p, "attribute 'pattern' is not valid at byte %zu: %s", at, wrong);
    ok = ok && compile(p, a, text.data ? text.data : "", text.length);
    text_release(&text);
    return ok;
}

/* -- run -- */

static void *alloc_of_run(PCRE2_SIZE bytes, void *step)
{
    const struct step *s = step;

    return heap_alloc(s->heap, bytes, s->report);
}

static void free_of_run(void *p, void *step)
{
    heap_free(((const struct step *)step)->heap, p);
}

/* What a match needs. */
struct matcher {
    pcre2_general_context *general;
    pcre2_match_context *limits;
    pcre2_match_data *data;
    int *space; /* for ways that are followed at once */
    size_t spaces;
};

static bool widen(struct step *s, struct matcher *m, size_t spaces)
{
    heap_free(s->heap, m->space);
    m->space = heap_alloc(s->heap, spaces * sizeof *m->space, s->report);
    m->spaces = spaces;
    return m->space;
}

static bool begin(struct step *s, struct matcher *m)
{
    memset(m, 0, sizeof *m);
    m->general = pcre2_general_context_create(alloc_of_run, free_of_run, s);
    m->limits = m->general ? pcre2_match_context_create(m->general) : NULL;
    m->data = m->limits ? pcre2_match_data_create(1, m->general) : NULL;
    if (!m->data || !widen(s, m, LEAST_SPACE))
        return false;
    pcre2_set_match_limit(m->limits, MOST_STEPS);
    pcre2_set_heap_limit(m->limits, MOST_KIB);
    return true;
}

static void end(struct step *s, struct matcher *m)
{
    heap_free(s->heap, m->space);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    pcre2_general_context_free(m->general);
}

static bool is_utf8_error(int result)
{
    return result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21;
}

static bool match(struct step *s, struct matcher *m, int64_t k, uint8_t *y)
{
    const struct string *x = ((const struct string *const *)s->in[0]->data)[k];
    const pcre2_code *code = ((const struct regex *)s->attrs)->code;
    int result;

    do
        result = pcre2_dfa_match(code, (PCRE2_SPTR)string_bytes(x), string_length(x), 0, PCRE2_DFA_SHORTEST, m->data,
                                 m->limits, m->space, m->spaces);
    while (result == PCRE2_ERROR_DFA_WSSIZE && m->spaces < MOST_SPACE && widen(s, m, 4 * m->spaces));
    *y = result >= 0;
    if (result >= 0 || result == PCRE2_ERROR_NOMATCH || is_utf8_error(result))
        return true;
    return step_error(s, "element %lld of 'X' takes more steps or memory to match than are allowed", (long long)k);
}

static bool run(struct step *s)
{
    uint8_t *const y = s->out[0]->data;
    struct matcher m;
    bool ok = begin(s, &m);

    for (int64_t k = 0; ok && k < tensor_count(s->in[0]) && !pool_late(s->pool); k++)
        ok = match(s, &m, k, &y[k]);
    end(s, &m);
    return ok;
}

#else

static bool read_pattern(struct parse *p, struct regex *a, const char *pattern)
{
    (void)a;
    (void)pattern;
    return parse_unsupported(p, "the library was built without PCRE2, which regular expressions need");
}

static bool run(struct step *s)
{
    return step_error(s, "the library was built without PCRE2");
}

#endif

static bool parse(struct parse *p, void *attrs)
{
    const char *pattern = attr_string(p, "pattern", NULL);

    return pattern ? read_pattern(p, attrs, pattern) : parse_error(p, "attribute 'pattern' is missing");
}

/* -- test -- */

static const struct op_case cases[] = {
#if KILN_PCRE2
    { "str[2,2]{'www.google.com','facebook','.com','www..com'}", "pattern='www.*com'", "bool[2,2]", 0 },
    { "str[3]", "pattern='(?i:a|b)*\\x41{2,3}[[:digit:]]?$'", "bool[3]", 0 },
    { "str[]{'aaa'}", "pattern='(a|aa)+'", "bool[]", 0 },
    { "str[0,3]", "pattern=''", "bool[0,3]", 0 },
#endif
    { 0 },
};

const struct op op_regex_full_match = {
    .name = "RegexFullMatch",
    .domain = "",
    .defs = (const struct op_def[]){ { .since = 20,
                                       .signature = "T1 X -> T2 Y",
                                       .types = "T1: str; T2: bool",
                                       .attrs_size = sizeof(struct regex),
                                       .parse = parse,
                                       .infer = compare_infer,
                                       .run = run,
                                       .gradient = zero_gradient,
                                       .flags = OP_ELEMENTWISE,
                                       .cases = cases },
                                     { 0 } },
};
