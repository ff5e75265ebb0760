#include "train/affine.h"
#include "data/element.h"
#include "model/message.h"
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

/* The place in `targets` of "...target=torch.ops.aten.layer_norm.default](...", and where its arguments begin; -1 where it
 * is none of them. */
static int target_of(const char *told, const char **arguments)
{
    const char *name = strstr(told, "target="), *end = name ? strstr(name, "](args = (") : NULL;

    for (int k = 0; end && k < (int)(sizeof targets / sizeof *targets); k++) {
        const char *at = strstr(name, targets[k].name);

        if (at && at < end) {
            *arguments = end + strlen("](args = (");
            return k;
        }
    }
    return -1;
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

enum affine affine_told(const struct model *m, const struct node *n, bool scale)
{
    static const char none[] = "None";
    const char *told = told_of_node(m, node_origin(n), "fx_node"), *arguments = NULL, *given;
    const int target = told ? target_of(told, &arguments) : -1;
    int at;

    if (target < 0)
        return AFFINE_UNSAID;
    at = scale ? targets[target].scale : targets[target].bias;
    given = at < 0 ? NULL : argument(arguments, at);
    return given && strncmp(given, none, strlen(none)) != 0 ? AFFINE_PARAMETER : AFFINE_NONE;
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
