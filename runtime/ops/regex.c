#include "ops/regex.h"
#include "ops/re2_syntax.h"
#include <string.h>
#if KILN_PCRE2
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

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

static bool compile(struct parse *p, struct regex *r, const char *name, const struct text *pattern, uint32_t options)
{
    pcre2_general_context *g = pcre2_general_context_create(alloc_with_model, keep, p);
    pcre2_compile_context *c = g ? pcre2_compile_context_create(g) : NULL;
    PCRE2_SIZE at;
    int error;

    if (!c)
        return false;
    options |= PCRE2_UTF | PCRE2_ALT_CIRCUMFLEX | PCRE2_NEVER_BACKSLASH_C;
    pcre2_set_newline(c, PCRE2_NEWLINE_LF);
    r->code = pcre2_compile((PCRE2_SPTR)(pattern->data ? pattern->data : ""), pattern->length, options, &error, &at, c);
    if (!r->code) {
        PCRE2_UCHAR message[128] = "";

        pcre2_get_error_message(error, message, sizeof message);
        return parse_error(p, "attribute '%s' is not valid: %s", name, (const char *)message);
    }
    return true;
}

bool regex_parse(struct parse *p, struct regex *r, const char *name, const char *pattern, bool whole)
{
    struct text text = { .budget = parse_node(p)->graph->arena->budget, .report = parse_node(p)->graph->report };
    size_t at;
    const char *wrong = re2_translate(pattern, whole, &text, &at);
    bool ok = !wrong && !text.failed;

    if (wrong)
        parse_error(p, "attribute '%s' is not valid at byte %zu: %s", name, at, wrong);
    ok = ok && compile(p, r, name, &text, whole ? PCRE2_ANCHORED : 0);
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

static bool widen(struct matcher *m, size_t spaces)
{
    heap_free(m->step->heap, m->space);
    m->space = heap_alloc(m->step->heap, spaces * sizeof *m->space, m->step->report);
    m->spaces = spaces;
    return m->space;
}

bool matcher_begin(struct matcher *m, struct step *s)
{
    *m = (struct matcher){ .step = s };
    m->general = pcre2_general_context_create(alloc_of_run, free_of_run, s);
    m->limits = m->general ? pcre2_match_context_create(m->general) : NULL;
    m->data = m->limits ? pcre2_match_data_create(1, m->general) : NULL;
    if (!m->data || !widen(m, LEAST_SPACE))
        return false;
    pcre2_set_match_limit(m->limits, MOST_STEPS);
    pcre2_set_heap_limit(m->limits, MOST_KIB);
    return true;
}

void matcher_end(struct matcher *m)
{
    heap_free(m->step->heap, m->space);
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->limits);
    pcre2_general_context_free(m->general);
}

static bool is_utf8_error(int result)
{
    return result <= PCRE2_ERROR_UTF8_ERR1 && result >= PCRE2_ERROR_UTF8_ERR21;
}

int matcher_find(struct matcher *m, const struct regex *r, const char *s, size_t length, size_t at, size_t span[2])
{
    /* the first look into a string has found that it is UTF-8 */
    const uint32_t options = (span ? 0 : PCRE2_DFA_SHORTEST) | (at ? PCRE2_NO_UTF_CHECK : 0);
    int result;

    do
        result = pcre2_dfa_match(r->code, (PCRE2_SPTR)s, length, at, options, m->data, m->limits, m->space, m->spaces);
    while (result == PCRE2_ERROR_DFA_WSSIZE && m->spaces < MOST_SPACE && widen(m, 4 * m->spaces));
    if (result >= 0 && span)
        memcpy(span, pcre2_get_ovector_pointer(m->data), 2 * sizeof *span);
    return result >= 0 ? 1 : result == PCRE2_ERROR_NOMATCH || is_utf8_error(result) ? 0 : -1;
}

#else

bool regex_parse(struct parse *p, struct regex *r, const char *name, const char *pattern, bool whole)
{
    (void)r;
    (void)name;
    (void)pattern;
    (void)whole;
    return parse_unsupported(p, "the library was built without PCRE2, which regular expressions need");
}

bool matcher_begin(struct matcher *m, struct step *s)
{
    *m = (struct matcher){ .step = s };
    return step_error(s, "the library was built without PCRE2");
}

void matcher_end(struct matcher *m)
{
    (void)m;
}

int matcher_find(struct matcher *m, const struct regex *r, const char *s, size_t length, size_t at, size_t span[2])
{
    (void)m;
    (void)r;
    (void)s;
    (void)length;
    (void)at;
    (void)span;
    return -1;
}

#endif
