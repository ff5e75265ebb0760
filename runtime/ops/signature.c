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

#define BIT(d) (UINT64_C(1) << (d))

static const struct {
    const char *name;
    uint64_t dtypes;
} sets[] = {
#define FLOATS  (BIT(F16) | BIT(F32) | BIT(F64))
#define INTS    (BIT(I8) | BIT(I16) | BIT(I32) | BIT(I64))
#define UINTS   (BIT(U8) | BIT(U16) | BIT(U32) | BIT(U64))
#define COMPLEX (BIT(C64) | BIT(C128))
    { "floats", FLOATS },
    { "ints", INTS },
    { "uints", UINTS },
    { "complex", COMPLEX },
    { "all", FLOATS | INTS | UINTS | COMPLEX | BIT(BOOL) | BIT(STRING) },
#define IR9  (BIT(F8E4M3FN) | BIT(F8E4M3FNUZ) | BIT(F8E5M2) | BIT(F8E5M2FNUZ))
#define IR10 (IR9 | BIT(U4) | BIT(I4))
#define IR11 (IR10 | BIT(F4E2M1))
#define IR12 (IR11 | BIT(F8E8M0))
#define IR13 (IR12 | BIT(U2) | BIT(I2))
#define IR14 (IR13 | BIT(F6E2M3) | BIT(F6E3M2))
    { "ir9", IR9 },
    { "ir10", IR10 },
    { "ir11", IR11 },
    { "ir12", IR12 },
    { "ir13", IR13 },
    { "ir14", IR14 },
};

static uint64_t bits(const char *s, int n)
{
    const enum dtype d = dtype_of_code(s, (size_t)n);

    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++)
        if (is(s, n, sets[k].name))
            return sets[k].dtypes;
    return d == UNDEFINED ? 0 : BIT(d);
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

/* The kind whose name and "(" are next, and the type of keys behind it; moves past them. TENSOR where there is none. */
static struct element read_kind(const char **at)
{
    static const char *const names[KINDS] = { "", "seq", "opt", "sparse", "map" };
    struct element e = { TENSOR, UNDEFINED };
    const char *s = *at;
    int n = word(s);

    for (int k = SEQUENCE; k < KINDS; k++)
        if (s[n] == '(' && is(s, n, names[k]))
            e.kind = (enum kind)k;
    if (e.kind == TENSOR)
        return e;
    s += n + 1;
    if (e.kind == MAP) {
        n = word(s);
        e.key = dtype_of_code(s, (size_t)n);
        if (e.key == UNDEFINED)
            return (struct element){ TENSOR, UNDEFINED };
        s = skip(s + n);
    }
    *at = s;
    return e;
}

/* "opt(seq(all bf16))", "map(i64, f32)" */
static bool read_other(struct type_set *set, const char **at)
{
    struct tensor *type = &set->kind[set->kinds].type;
    const char *s = *at;
    struct element e = read_kind(&s);
    int levels = 0;

    if (e.kind == TENSOR || set->kinds == MAX_KINDS)
        return false;
    *type = (struct tensor){ .kind = e.kind, .key = e.key, .rank = UNKNOWN };
    for (levels = 1; (e = read_kind(&s)).kind != TENSOR; levels++)
        if (levels > MAX_NESTING)
            return false;
        else
            type->element[levels - 1] = e;
    if (!read_words(&set->kind[set->kinds++].dtypes, &s, ")"))
        return false;
    for (; levels > 0; levels--)
        if (*s++ != ')')
            return false;
    *at = skip(s);
    return true;
}

static bool read_set(struct type_set *set, const char **at)
{
    const char *s = skip(*at);

    while (*s && *s != ';') {
        const int n = word(s);

        if (!n || !(s[n] == '(' ? read_other(set, &s) : read_words(&set->tensor, &s, ";")))
            return false;
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
    const uint64_t bit = dtype_valid(type->dtype) ? BIT(type->dtype) : 0;

    if (type->kind == TENSOR)
        return set->tensor & bit;
    for (int k = 0; k < set->kinds; k++) {
        struct tensor like = set->kind[k].type;

        like.dtype = type->dtype;
        if (set->kind[k].dtypes & bit && same_element_type(&like, type))
            return true;
    }
    return false;
}

bool type_set_next(const struct type_set *set, int *at, struct tensor *type)
{
    while (*at < (set->kinds + 1) * DTYPES) {
        const int kind = *at / DTYPES - 1, d = *at % DTYPES;
        const uint64_t dtypes = kind < 0 ? set->tensor : set->kind[kind].dtypes;

        ++*at;
        if (!(dtypes >> d & 1))
            continue;
        *type = kind < 0 ? (struct tensor){ .rank = UNKNOWN } : set->kind[kind].type;
        type->dtype = (enum dtype)d;
        return true;
    }
    return false;
}

const char *type_set_text(const struct type_set *set, char buffer[TYPE_SET_TEXT])
{
    char text[TYPE_TEXT];
    struct tensor type;
    size_t n = 0;
    int at = 0;

    buffer[0] = 0;
    while (n + 40 < TYPE_SET_TEXT && type_set_next(set, &at, &type))
        n += (size_t)snprintf(buffer + n, TYPE_SET_TEXT - n, "%s%.40s", n ? ", " : "", element_text(&type, text));
    return buffer;
}
