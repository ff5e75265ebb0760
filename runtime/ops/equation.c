#include "ops/equation.h"
#include <ctype.h>
#include <math.h>
#include <string.h>

/* A text that is being read. */
struct reading {
    struct equation *s;
    const char *at;
    bool wrong;
};

enum { MOST_ARGUMENTS = 3 };

/* -- names -- */

static struct equation_term *find(struct equation *s, const char *name, size_t length)
{
    for (int k = 0; k < s->count; k++)
        if (s->names[k].length == length && strncmp(s->names[k].name, name, length) == 0)
            return &s->names[k];
    return NULL;
}

static void put(struct equation *s, const char *name, size_t length, struct equation_term t)
{
    struct equation_term *to = find(s, name, length);

    if (!to && s->count == MOST_EQUATION_NAMES) {
        s->e->failed =
            !fail(s->e->report, KILN_LIMIT, NULL, "a formula has more than %d names", (int)MOST_EQUATION_NAMES);
        return;
    }
    to = to ? to : &s->names[s->count++];
    *to = t;
    to->name = name;
    to->length = length;
}

void equation_value(struct equation *s, const char *name, struct value *v)
{
    put(s, name, strlen(name), (struct equation_term){ .value = v });
}

void equation_number(struct equation *s, const char *name, double number)
{
    put(s, name, strlen(name), (struct equation_term){ .number = number });
}

void equation_settings(struct equation *s, const struct spec_option *o, const void *settings)
{
    for (; o && o->key; o++) {
        const void *at = (const char *)settings + o->offset;

        if (o->kind == SPEC_FLAG)
            equation_number(s, o->key, *(const bool *)at);
        else if (o->kind == SPEC_NUMBER || o->kind == SPEC_BELOW || o->kind == SPEC_WHOLE || o->kind == SPEC_VALUE)
            equation_number(s, o->key, *(const double *)at);
    }
}

/* -- what terms become -- */

static struct value *value_of(struct reading *r, const struct equation_term *t)
{
    return t->value ? t->value : emit_scalar(r->s->e, r->s->dtype, t->number);
}

static struct equation_term made(struct value *v)
{
    return (struct equation_term){ .value = v };
}

static struct equation_term number(double x)
{
    return (struct equation_term){ .number = x };
}

static struct equation_term wrong(struct reading *r)
{
    r->wrong = true;
    return number(0);
}

static bool all_numbers(const struct equation_term *t, int count)
{
    for (int k = 0; k < count; k++)
        if (t[k].value)
            return false;
    return true;
}

static double fold(const char *op, double a, double b)
{
    return strcmp(op, "Add") == 0   ? a + b
           : strcmp(op, "Sub") == 0 ? a - b
           : strcmp(op, "Mul") == 0 ? a * b
           : strcmp(op, "Div") == 0 ? a / b
           : strcmp(op, "Pow") == 0 ? pow(a, b)
           : strcmp(op, "Max") == 0 ? fmax(a, b)
           : strcmp(op, "Min") == 0 ? fmin(a, b)
                                    : (double)NAN;
}

static struct equation_term binary(struct reading *r, const char *op, struct equation_term a, struct equation_term b)
{
    if (!a.value && !b.value)
        return number(fold(op, a.number, b.number));
    return made(emit(r->s->e, op, "", 2, value_of(r, &a), value_of(r, &b)));
}

/* -- functions -- */

static const struct function {
    const char *name, *op, *attrs;
    int arguments;
    int axes; /* 1: along the last dimension; 2: of all elements; 0: of each */
} functions[] = {
    { "abs", "Abs", "", 1, 0 },
    { "sqrt", "Sqrt", "", 1, 0 },
    { "sign", "Sign", "", 1, 0 },
    { "exp", "Exp", "", 1, 0 },
    { "log", "Log", "", 1, 0 },
    { "sigmoid", "Sigmoid", "", 1, 0 },
    { "softplus", "Softplus", "", 1, 0 },
    { "softmax", "Softmax", "axis=-1", 1, 0 },
    { "log_softmax", "LogSoftmax", "axis=-1", 1, 0 },
    { "not_finite", "IsNaN", "", 1, 0 }, /* of x - x */
    { "pow", "Pow", "", 2, 0 },
    { "max", "Max", "", 2, 0 },
    { "min", "Min", "", 2, 0 },
    { "where", "Where", "", 3, 0 },
    { "sum", "ReduceSum", "keepdims=1", 1, 1 },
    { "mean", "ReduceMean", "keepdims=1", 1, 1 },
    { "largest", "ReduceMax", "keepdims=1", 1, 1 },
    { "total", "ReduceSum", "keepdims=0", 1, 2 },
};

static struct equation_term called(struct reading *r, const struct function *f, const struct equation_term *t)
{
    static const int64_t last = -1;
    struct value *in[MOST_ARGUMENTS] = { 0 }, *out;
    int inputs = f->arguments;

    if (all_numbers(t, f->arguments) && f->arguments == 2)
        return number(fold(f->op, t[0].number, t[1].number));
    for (int k = 0; k < f->arguments; k++)
        in[k] = value_of(r, &t[k]);
    if (f->axes == 1)
        in[inputs++] = emit_ints(r->s->e, 1, &last);
    return made(emit_many(r->s->e, f->op, f->attrs, 1, &out, inputs, in) ? out : NULL);
}

/* -- reading -- */

static struct equation_term expression(struct reading *r);

static bool skip(struct reading *r, const char *what)
{
    r->at += strspn(r->at, " ");
    if (strncmp(r->at, what, strlen(what)) != 0)
        return false;
    r->at += strlen(what);
    return true;
}

static size_t word(const struct reading *r)
{
    size_t n = 0;

    while (isalnum((unsigned char)r->at[n]) || r->at[n] == '_')
        n++;
    return n;
}

static struct equation_term call(struct reading *r, const char *name, size_t length)
{
    struct equation_term t[MOST_ARGUMENTS];

    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++) {
        const struct function *f = &functions[k];

        if (strlen(f->name) != length || strncmp(f->name, name, length) != 0)
            continue;
        for (int i = 0; i < f->arguments; i++) {
            t[i] = expression(r);
            if (r->wrong || !skip(r, i + 1 < f->arguments ? "," : ")"))
                return wrong(r);
        }
        return called(r, f, t);
    }
    return wrong(r);
}

/* Digits, a point, an exponent: a sign before it is an operator. */
static size_t read_number(const char *s, double *out)
{
    char copy[32];
    size_t n = strspn(s, "0123456789.");

    if (n && s[n] == 'e')
        n += 1 + strspn(s + n + 1, "-0123456789");
    if (!n || n >= sizeof copy)
        return 0;
    memcpy(copy, s, n);
    copy[n] = 0;
    return decimal_read(copy, out) == n ? n : 0;
}

static struct equation_term primary(struct reading *r)
{
    struct equation_term t;
    const char *name;
    size_t n;

    if (skip(r, "-"))
        return binary(r, "Sub", number(0), primary(r));
    if (skip(r, "(")) {
        t = expression(r);
        return skip(r, ")") ? t : wrong(r);
    }
    n = read_number(r->at, &t.number);
    if (n) {
        r->at += n;
        return number(t.number);
    }
    name = r->at;
    n = word(r);
    r->at += n;
    if (n && skip(r, "("))
        return call(r, name, n);
    return n && find(r->s, name, n) ? *find(r->s, name, n) : wrong(r);
}

/* Operators of one level, from the left on. */
static struct equation_term level(struct reading *r, int of)
{
    static const struct {
        const char *sign, *op;
        int level;
    } signs[] = { { ">=", "GreaterOrEqual", 0 },
                  { "<=", "LessOrEqual", 0 },
                  { ">", "Greater", 0 },
                  { "<", "Less", 0 },
                  { "+", "Add", 1 },
                  { "-", "Sub", 1 },
                  { "*", "Mul", 2 },
                  { "/", "Div", 2 } };
    enum { SIGNS = sizeof signs / sizeof *signs };
    struct equation_term t;
    int k;

    if (of == 3)
        return primary(r);
    t = level(r, of + 1);
    do {
        for (k = 0; k < SIGNS && (signs[k].level != of || !skip(r, signs[k].sign)); k++)
            ;
        if (k < SIGNS)
            t = binary(r, signs[k].op, t, level(r, of + 1));
    } while (k < SIGNS && !r->wrong);
    return t;
}

static struct equation_term expression(struct reading *r)
{
    return level(r, 0);
}

bool equation_emit(struct equation *s, const char *text)
{
    struct reading r = { .s = s, .at = text };

    do {
        const char *name;
        size_t n;
        struct equation_term t;

        r.at += strspn(r.at, " ");
        name = r.at;
        n = word(&r);
        r.at += n;
        if (!n || !skip(&r, "="))
            r.wrong = true;
        t = r.wrong ? number(0) : expression(&r);
        if (!r.wrong)
            put(s, name, n, t);
    } while (!r.wrong && !s->e->failed && skip(&r, ";"));
    if (r.wrong || *r.at)
        return s->e->failed = true,
               fail(s->e->report, KILN_UNSUPPORTED, NULL, "the formula '%s' cannot be read from '%s' on", text, r.at);
    return !s->e->failed;
}

struct value *equation_result(struct equation *s, const char *name)
{
    const struct equation_term *t = find(s, name, strlen(name));
    struct reading r = { .s = s };

    return t ? value_of(&r, t) : NULL;
}
