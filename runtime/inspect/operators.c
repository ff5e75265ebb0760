#include "inspect/operators.h"
#include "base/json.h"
#include "grad/grad.h"
#include "ops/registry.h"
#include "ops/signature.h"
#include <stdio.h>

/* As onnx.defs names it: "optional(seq(tensor(float)))", "map(int64,tensor(float))". */
static void put_type(struct json *j, struct tensor type)
{
    static const char *const open[KINDS] = { "tensor(", "seq(", "optional(", "sparse_tensor(", "map(" };
    char name[TYPE_TEXT];
    size_t n = 0;
    int levels = 1;

    for (; holds_values(type.kind); type = element_of(&type), levels++)
        n += (size_t)snprintf(name + n, sizeof name - n, "%s%s%s", open[type.kind],
                              type.kind == MAP ? dtype_name(type.key) : "", type.kind == MAP ? "," : "");
    snprintf(name + n, sizeof name - n, "%s%s%.*s", open[type.kind], dtype_name(type.dtype), levels, "))))))))))");
    json_string(j, NULL, name);
}

static void put_types(struct json *j, const struct type_set *set)
{
    struct tensor type;
    int at = 0;

    json_open(j, "types", '[');
    while (type_set_next(set, &at, &type))
        put_type(j, type);
    json_close(j, ']');
}

static void put_formals(struct json *j, const char *key, const struct signature *s, const struct formal *list,
                        int count)
{
    json_open(j, key, '[');
    for (int k = 0; k < count; k++) {
        const struct formal *f = &list[k];

        json_open(j, NULL, '{');
        json_bytes(j, "name", f->name, (size_t)f->name_length);
        json_bytes(j, "variable", s->var[f->var].name, (size_t)s->var[f->var].name_length);
        json_bool(j, "optional", f->optional);
        json_bool(j, "variadic", f->variadic);
        json_bool(j, "homogeneous", !f->any);
        put_types(j, &s->var[f->var].set);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static bool put_version(struct json *j, const struct op *op, const struct op_def *d, struct report *r)
{
    struct signature s;

    if (!signature_read(&s, d))
        return fail(r, KILN_UNSUPPORTED, op->name, "the signature of version %d is malformed", d->since);
    json_open(j, NULL, '{');
    json_int(j, "since", d->since);
    json_bool(j, "differentiable", op_differentiable(d));
    json_bool(j, "zero_gradient", d->gradient == zero_gradient);
    json_string(j, "no_gradient", op_differentiable(d) ? NULL : d->no_gradient);
    json_string(j, "types", d->types);
    put_formals(j, "inputs", &s, s.in, s.inputs);
    put_formals(j, "outputs", &s, s.out, s.outputs);
    json_close(j, '}');
    return true;
}

bool operators_json(struct text *out, struct report *r)
{
    struct json j = { .out = out };

    json_open(&j, NULL, '[');
    for (int k = 0; op_registry[k]; k++) {
        const struct op *op = op_registry[k];

        json_open(&j, NULL, '{');
        json_string(&j, "name", op->name);
        json_string(&j, "domain", op->domain);
        json_open(&j, "versions", '[');
        for (const struct op_def *d = op->defs; d->since; d++)
            if (!put_version(&j, op, d, r))
                return false;
        json_close(&j, ']');
        json_close(&j, '}');
    }
    json_close(&j, ']');
    return true;
}
