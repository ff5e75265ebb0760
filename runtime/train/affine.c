#include "train/affine.h"
#include "data/element.h"
#include "model/message.h"
#include "ops/cast_text.h"
#include "ops/registry.h"
#include "train/told.h"
#include <math.h>
#include <string.h>

/* -- metadata -- */

/* What PyTorch calls its normalisations, and which of their arguments are the scale and the bias. The first that a name
 * contains counts. */
static const struct {
    const char *name;
    int scale, bias;
} targets[] = {
    { "native_layer_norm", 2, 3 }, { "layer_norm", 2, 3 },    { "native_group_norm", 1, 2 }, { "group_norm", 2, 3 },
    { "batch_norm", 1, 2 },        { "instance_norm", 1, 2 }, { "rms_norm", 2, -1 },
};

/* What PyTorch made the node of. */
static const char *made_of(const struct model *m, const struct node *n)
{
    return told_of_node(m, node_origin(n), "fx_node");
}

/* Of "...target=torch.ops.aten.layer_norm.default](args = (...": where its arguments begin, where the target's name has
 * that part; else NULL. */
static const char *arguments_of(const char *told, const char *part)
{
    static const char begin[] = "](args = (";
    const char *name = told ? strstr(told, "target=") : NULL, *end = name ? strstr(name, begin) : NULL;
    const char *at = end ? strstr(name, part) : NULL;

    return at && at < end ? end + strlen(begin) : NULL;
}

/* Argument k of "%x, [4, 6], None, 1e-05), ..."; NULL where there are not so many. */
static const char *argument(const char *s, int k)
{
    int depth = 0;

    for (; *s && k > 0; s++) {
        depth += *s == '[' || *s == '(';
        depth -= *s == ']' || *s == ')';
        if (depth < 0)
            return NULL;
        k -= *s == ',' && depth == 0;
    }
    s += strspn(s, " ");
    return *s && *s != ')' ? s : NULL;
}

/* Is there something else than None? */
static enum affine is_given(const char *arguments, int at)
{
    static const char none[] = "None";
    const char *given = at < 0 ? NULL : argument(arguments, at);

    return given && strncmp(given, none, strlen(none)) != 0 ? AFFINE_PARAMETER : AFFINE_NONE;
}

enum affine affine_told(const struct model *m, const struct node *n, bool scale)
{
    const char *told = made_of(m, n);

    for (size_t k = 0; k < sizeof targets / sizeof *targets; k++) {
        const char *arguments = arguments_of(told, targets[k].name);

        if (arguments)
            return is_given(arguments, scale ? targets[k].scale : targets[k].bias);
    }
    return AFFINE_UNSAID;
}

enum affine affine_bias_told(const struct model *m, const struct node *n)
{
    enum { BIAS = 2 }; /* behind the input and the weight */
    const char *told = made_of(m, n), *arguments = arguments_of(told, ".conv");

    if (!arguments)
        arguments = arguments_of(told, ".linear.");
    return arguments ? is_given(arguments, BIAS) : AFFINE_UNSAID;
}

/* A number between 0 and 1; 0 where it is none. */
static double share_of(const char *s)
{
    double x;

    return number_read(s, strcspn(s, ",)"), F64, ROUNDING_DEFAULT, &x, 0) && x > 0 && x < 1 ? x : 0;
}

void affine_batch_norm_told(const struct model *m, const struct node *n, double *epsilon, double *momentum)
{
    const char *arguments = arguments_of(made_of(m, n), "batch_norm");
    const char *at = arguments ? argument(arguments, 5) : NULL; /* behind the running statistics, */
    const char *behind;
    double share;

    if (at && (strncmp(at, "True", 4) == 0 || strncmp(at, "False", 5) == 0))
        at = argument(arguments, 6); /* and, in most of its forms, whether it trains */
    behind = at ? argument(at, 1) : NULL;
    share = at ? share_of(at) : 0;
    *momentum = share > 0 ? 1 - share : 0;
    *epsilon = behind ? share_of(behind) : 0;
}

/* -- names -- */

bool affine_is_normalization(const struct node *n)
{
    n = node_origin(n);
    return node_is(n, &op_batch_normalization) || node_is(n, &op_instance_normalization) ||
           node_is(n, &op_layer_normalization) || node_is(n, &op_group_normalization) ||
           node_is(n, &op_rms_normalization);
}

static bool is_number(const char *s)
{
    return *s && s[strspn(s, "0123456789")] == 0;
}

/* Is it called as what the exporters make themselves? TorchScript's began with numbers alone. */
static bool is_made_by_exporter(const struct model *m, const struct value *v)
{
    const bool pytorch = strcmp(or_empty(m->proto->producer_name), "pytorch") == 0;

    if (pytorch && ((v->producer && node_is(v->producer, &op_constant)) || is_number(v->name)))
        return true;
    return strstr(v->name, "/Constant") || told_is_numbered(v->name, strlen(v->name));
}

/* -- both -- */

enum affine affine_of(const struct model *m, const struct node *reader, const struct value *v,
                      const struct tensor *content)
{
    const double number = tensor_count(content) > 0 && tensor_is_uniform(content)
                              ? element_getter(content->dtype)(content->data, 0)
                              : (double)NAN;
    enum affine told;

    if ((number != 0 && number != 1) ||
        !(affine_is_normalization(reader) || node_is(reader, &op_mul) || node_is(reader, &op_add)))
        return AFFINE_PARAMETER; /* folded into a layer it has become another thing */
    told = affine_told(m, reader, number == 1);
    if (told != AFFINE_UNSAID || !affine_is_normalization(reader))
        return told;
    return is_made_by_exporter(m, v) ? AFFINE_NONE : AFFINE_UNSAID;
}
