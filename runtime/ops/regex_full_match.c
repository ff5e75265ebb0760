/* RegexFullMatch, https://onnx.ai/onnx/operators/onnx__RegexFullMatch.html
 *
 *   Y = X matches the pattern from its beginning to its end
 *
 * Patterns are those of RE2 (ops/regex.h). */
#include "ops/elementwise.h"
#include "ops/regex.h"
#include "ops/strings.h"

static bool parse(struct parse *p, void *attrs)
{
    const char *pattern = attr_string(p, "pattern", NULL);

    return pattern ? regex_parse(p, attrs, "pattern", pattern, true) : parse_error(p, "attribute 'pattern' is missing");
}

static bool run(struct step *s)
{
    const struct string *const *x = s->in[0]->data;
    uint8_t *const y = s->out[0]->data;
    struct matcher m;
    int found = matcher_begin(&m, s) ? 0 : -1;

    for (int64_t k = 0; found >= 0 && k < tensor_count(s->in[0]) && !pool_late(s->pool); k++) {
        found = matcher_find(&m, s->attrs, string_bytes(x[k]), string_length(x[k]), 0, NULL);
        if (found < 0)
            step_error(s, "element %lld of 'X' takes more steps or memory to match than are allowed", (long long)k);
        y[k] = found > 0;
    }
    matcher_end(&m);
    return found >= 0;
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
