#include "ops/signature.h"
#include <stdio.h>
#include <string.h>

static const char *skip(const char *s)
{
    while (*s == ' ' || *s == ',')
        s++;
    return s;
}

static int word(const char *s)
{
    return (int)strcspn(s, " ,:;?.*()");
}

static bool is(const char *s, int n, const char *name)
{
    return (int)strlen(name) == n && memcmp(s, name, (size_t)n) == 0;
}

static uint64_t bits(const char *s, int n)
{
    const uint64_t floats = 1ull << F16 | 1ull << F32 | 1ull << F64;
    const uint64_t ints = 1ull << I8 | 1ull << I16 | 1ull << I32 | 1ull << I64;
    const uint64_t uints = 1ull << U8 | 1ull << U16 | 1ull << U32 | 1ull << U64;
    const uint64_t complex = 1ull << C64 | 1ull << C128;
    enum dtype d;

    if (is(s, n, "floats"))
        return floats;
    if (is(s, n, "ints"))
        return ints;
    if (is(s, n, "uints"))
        return uints;
    if (is(s, n, "complex"))
        return complex;
    if (is(s, n, "all"))
        return floats | ints | uints | complex | 1ull << BOOL | 1ull << STRING;
    d = dtype_of_code(s, (size_t)n);
    return d == UNDEFINED ? 0 : 1ull << d;
}

/* Adds the words up to `end` to one kind of a set. */
static bool read_words(uint64_t *set, const char **at, const char *ends)
{
    const char *s = skip(*at);

    while (*s && !strchr(ends, *s)) {
        const int n = word(s);
        const uint64_t more = bits(s, n);

        if (!more)
            return false;
        *set |= more;
        s = skip(s + n);
        if (*ends == ';' && word(s) > 0 && s[word(s)] == '(')
            break;
    }
    *at = s;
    return true;
}

static bool read_set(struct type_set *set, const char **at)
{
    const char *s = skip(*at);

    while (*s && *s != ';') {
        const int n = word(s);

        if (n && s[n] == '(') {
            uint64_t *kind = is(s, n, "seq")      ? &set->sequence
                             : is(s, n, "opt")    ? &set->optional
                             : is(s, n, "optseq") ? &set->optional_sequence
                                                  : NULL;

            s += n + 1;
            if (!kind || !read_words(kind, &s, ")") || *s != ')')
                return false;
            s = skip(s + 1);
        } else if (!n || !read_words(&set->tensor, &s, ";")) {
            return false;
        }
    }
    *at = s;
    return true;
}

static bool read_types(struct signature *s, const char *types)
{
    const char *at = skip(types);

    while (*at) {
        const int n = word(at);

        if (!n || at[n] != ':' || s->vars == MAX_VARS)
            return false;
        s->var[s->vars].name = at;
        s->var[s->vars].name_length = n;
        at += n + 1;
        if (!read_set(&s->var[s->vars].set, &at))
            return false;
        s->vars++;
        if (*at == ';')
            at = skip(at + 1);
    }
    return true;
}

static int var_of(const struct signature *s, const char *name, int n)
{
    for (int k = 0; k < s->vars; k++)
        if (s->var[k].name_length == n && memcmp(s->var[k].name, name, (size_t)n) == 0)
            return k;
    return -1;
}

static bool read_formals(struct signature *s, struct formal *list, int *count, const char **at)
{
    const char *c = skip(*at);

    while (*c && strncmp(c, "->", 2) != 0) {
        struct formal *f = &list[*count];
        int n = word(c);

        if (!n || *count == MAX_FORMALS || (*count && list[*count - 1].variadic))
            return false;
        f->var = var_of(s, c, n);
        c = skip(c + n);
        f->name = c;
        f->name_length = word(c);
        c += f->name_length;
        f->optional = *c == '?';
        f->any = *c == '*';
        f->variadic = f->any || strncmp(c, "...", 3) == 0;
        c += f->variadic && !f->any ? 3 : f->optional || f->any ? 1 : 0;
        if (f->var < 0 || !f->name_length || (*c && *c != ' ' && *c != ','))
            return false;
        ++*count;
        c = skip(c);
    }
    *at = c;
    return true;
}

bool signature_read(struct signature *s, const struct op_def *def)
{
    const char *at = def->signature;

    memset(s, 0, sizeof *s);
    if (!at || !def->types || !read_types(s, def->types) || !read_formals(s, s->in, &s->inputs, &at) ||
        strncmp(at, "->", 2) != 0)
        return false;
    at += 2;
    return read_formals(s, s->out, &s->outputs, &at) && !*at;
}

static const struct formal *formal_of(const struct formal *list, int count, int k)
{
    if (k >= 0 && k < count)
        return &list[k];
    return k >= count && count && list[count - 1].variadic ? &list[count - 1] : NULL;
}

const struct formal *signature_in(const struct signature *s, int k)
{
    return formal_of(s->in, s->inputs, k);
}

const struct formal *signature_out(const struct signature *s, int k)
{
    return formal_of(s->out, s->outputs, k);
}

bool type_set_has(const struct type_set *set, const struct tensor *type)
{
    const uint64_t bit = dtype_valid(type->dtype) ? 1ull << type->dtype : 0;

    switch (type->kind) {
    case TENSOR:
        return set->tensor & bit;
    case SEQUENCE:
        return set->sequence & bit;
    case OPTIONAL:
        return (type->element_kind == SEQUENCE ? set->optional_sequence : set->optional) & bit;
    default:
        return false;
    }
}

const char *type_set_text(const struct type_set *set, char buffer[TYPE_SET_TEXT])
{
    const uint64_t kinds[] = { set->tensor, set->sequence, set->optional, set->optional_sequence };
    const char *const open[] = { "", "seq(", "optional(", "optional(seq(" }, *const close[] = { "", ")", ")", "))" };
    size_t n = 0;

    buffer[0] = 0;
    for (int kind = 0; kind < 4; kind++)
        for (int d = 1; d < DTYPES && n + 40 < TYPE_SET_TEXT; d++)
            if (kinds[kind] >> d & 1)
                n += (size_t)snprintf(buffer + n, TYPE_SET_TEXT - n, "%s%s%s%s", n ? ", " : "", open[kind],
                                      dtype_name((enum dtype)d), close[kind]);
    return buffer;
}
