#include "train/constants.h"
#include "base/text.h"
#include "data/element.h"
#include "model/message.h"
#include "ops/registry.h"
#include "train/affine.h"
#include "train/told.h"
#include <math.h>
#include <string.h>
#include <strings.h>

static bool is_wide_enough(const struct candidate *c)
{
    return !dtype_is_small(c->content->dtype);
}

static bool is_quantization(const struct candidate *c)
{
    return c->place->use == PARAMETER_TRAINS_IF_ASKED;
}

static bool is_computed_statistic(const struct candidate *c)
{
    return c->place->use == PARAMETER_IS_STATISTIC && c->through;
}

/* Keras computes the first step of a masked layer once more, for zeros of the shape of what that gives. */
static bool is_measured(const struct candidate *c)
{
    for (int k = 0; k < c->reader->slots; k++)
        if (c->reader->out[k] && c->counts[c->reader->out[k]->id])
            return false;
    return true;
}

/* Is it a mean of activations, in whatever shape? */
static bool is_mean(const struct value *v)
{
    const struct node *n = v ? v->producer : NULL;

    while (n && n->def->flags & OP_REARRANGES && n->in[0])
        n = n->in[0]->producer;
    return n && (node_is(n, &op_reduce_mean) || node_is(n, &op_global_average_pool));
}

/* Of what is subtracted from only the beta of a normalisation learns, beta - mean * factor. */
static bool is_no_beta(const struct candidate *c)
{
    const struct node *n = node_is(c->reader, &op_sub) && c->reader->in[1] ? c->reader->in[1]->producer : NULL;

    return node_is(c->reader, &op_sub) && !(n && node_is(n, &op_mul) && (is_mean(n->in[0]) || is_mean(n->in[1])));
}

/* -- single numbers -- */

/* Has the layer one unit, whose bias is a single number? `weight` is its input k. */
static bool has_one_unit(const struct node *n, int k, const struct tensor *weight)
{
    if (weight->rank < 2)
        return false;
    if (node_is(n, &op_conv))
        return weight->dims[0] == 1;
    if (node_is(n, &op_conv_transpose))
        return weight->dims[1] == 1;
    if (node_is(n, &op_matmul))
        return weight->dims[weight->rank - (k ? 1 : 2)] == 1;
    return weight->dims[weight->rank - 1] == 1 || weight->dims[weight->rank - 2] == 1;
}

/* What a layer of one unit makes of its weight; of a weight that is made by nodes only running tells the units. A
 * Transpose may stand between: exporters turn channels. */
static bool is_single_product(const struct candidate *c, const struct value *v)
{
    const struct node *n = v ? v->producer : NULL;

    while (n && (n->def->flags & OP_REARRANGES || node_is(n, &op_cast)) && n->in[0])
        n = n->in[0]->producer;
    for (int k = 0; n && k < n->inputs; k++) {
        const struct op_parameter *p = node_parameter(n, k);

        if (p && p->use == PARAMETER_TRAINS && n->in[k] && !c->active[n->in[k]->id] &&
            (!n->in[k]->initializer || has_one_unit(n, k, n->in[k]->initializer)))
            return true;
    }
    return false;
}

/* TensorFlow's names tell what a variable of Keras is: a scalar is one, too, as the scale of Attention. */
static bool says_variable(const char *name)
{
    return name && strstr(name, "/ReadVariableOp");
}

/* Keras' PReLU is relu (x) + relu (-x) * -alpha: is it that factor? So is what LeakyReLU has, of which only names tell. */
static bool is_slope(const struct candidate *c)
{
    const struct node *n =
        node_is(c->reader, &op_mul) && c->reader->inputs == 2 ? c->reader->in[1 - c->place->input]->producer : NULL;

    while (n && n->def->flags & OP_REARRANGES && n->in[0])
        n = n->in[0]->producer;
    n = n && node_is(n, &op_relu) ? n->in[0]->producer : NULL;
    return n && node_is(n, &op_neg);
}

/* Of all positions and channels it is one number. */
static bool is_single_slope(const struct candidate *c)
{
    return c->content->rank && text_contains(c->reader->name, "p_re_lu") && is_slope(c);
}

/* Nodes are called by the scopes of modules, "/blocks.0/Mul", or by operators, "Mul_12"; the newer exporter calls them
 * "node_mul". */
static bool is_older_export(const struct candidate *c)
{
    const char *name = c->reader->name, *op = c->reader->op_name;

    return *name == '/' || strncmp(name, op, strlen(op)) == 0;
}

static bool is_newer_export(const struct candidate *c)
{
    return strncmp(c->reader->name, "node_", strlen("node_")) == 0;
}

static bool is_of_module(const struct candidate *c)
{
    return strcmp(or_empty(c->model->proto->producer_name), "pytorch") == 0 && !c->computed && !c->signature &&
           told_is_of_module(c->name);
}

/* A factor, a bound, the 1 of 1 - w, the 3 of a hard sigmoid; or what is called otherwise. */
static bool is_single(const struct candidate *c)
{
    if (tensor_count(c->content) != 1)
        return false;
    if (c->through)
        return true;
    return c->place->use == PARAMETER_TRAINS_UNLESS_SCALAR &&
           !(c->content->rank && is_single_product(c, c->reader->in[1 - c->place->input])) && !is_single_slope(c);
}

bool is_by_name(const struct candidate *c)
{
    return is_of_module(c) && is_older_export(c) && is_single(c);
}

/* But for ReZero's alpha, CLIP's logit_scale, gates. */
static bool is_scalar(const struct candidate *c)
{
    return is_single(c) && !says_variable(c->name) && !(c->parameter && !c->computed) && !is_by_name(c);
}

bool may_be_learned(const struct candidate *c)
{
    return is_scalar(c) && (c->parameter || (is_of_module(c) && is_newer_export(c)));
}

static bool is_empty(const struct candidate *c)
{
    return tensor_count(c->content) == 0;
}

/* -- what is done to inputs -- */

bool says_batch_normalization(const char *name)
{
    static const char *const words[] = { "batchnorm", "batch_norm", "_bn", "bn_", "/bn" };

    for (size_t k = 0; name && k < sizeof words / sizeof *words; k++)
        if (text_contains(name, words[k]))
            return true;
    return false;
}

/* The input of a node of two that depends on the activations, where the other does not; NULL where that is not so. */
static const struct value *active_input(const struct candidate *c, const struct node *n)
{
    if (n->inputs != 2 || !n->in[0] || !n->in[1] || c->active[n->in[0]->id] == c->active[n->in[1]->id])
        return NULL;
    return n->in[c->active[n->in[0]->id] ? 0 : 1];
}

/* Nodes that a normalisation is written in, or that follow it, at most: what is looked at is not all that lies before each of
 * many constants. */
enum { FAR = 64 };

/* Is it a mean, or a difference of two, and an epsilon? */
static bool is_variance(const struct candidate *c, const struct value *v)
{
    const struct node *n = v ? v->producer : NULL;

    for (int far = 0; far < FAR && n && node_is(n, &op_add) && (v = active_input(c, n)); far++)
        n = v->producer;
    return is_mean(v) || (n && node_is(n, &op_sub) && is_mean(n->in[0]));
}

/* Is it a deviation of the activations, or its reciprocal, scaled or not? */
static bool is_deviation(const struct candidate *c, const struct value *v)
{
    int far = 0;

    for (const struct node *n = v ? v->producer : NULL; far < FAR && n && n->in[0]; n = v->producer, far++) {
        const bool root = node_is(n, &op_sqrt) || node_is(n, &op_pow);
        const bool scaled = node_is(n, &op_mul) || node_is(n, &op_div);

        if (root && is_variance(c, n->in[0]))
            return true;
        if (!root && !scaled && !node_is(n, &op_reciprocal) && !node_is(n, &op_cast) &&
            !(n->def->flags & OP_REARRANGES))
            return false;
        v = scaled ? active_input(c, n) : n->in[0];
        if (!v)
            return false;
    }
    return false;
}

/* Is it x / deviation, one part of what Keras' LayerNormalization adds up? */
static bool is_divided(const struct candidate *c, const struct value *v)
{
    const struct node *n = v->producer;

    return n && node_is(n, &op_mul) && (is_deviation(c, n->in[0]) || is_deviation(c, n->in[1]));
}

/* Comes it from a normalisation by what was computed of the activations, (x - mean) / deviation? */
static bool is_normalized(const struct candidate *c, const struct value *v)
{
    int far = 0;

    if (is_deviation(c, v))
        return true;
    for (const struct node *n = v->producer; far < FAR && n && n->in[0]; n = v->producer, far++) {
        const bool arithmetic =
            n->inputs == 2 && n->in[1] &&
            (node_is(n, &op_mul) || node_is(n, &op_div) || node_is(n, &op_add) || node_is(n, &op_sub));

        if (!arithmetic && !(n->def->flags & OP_REARRANGES))
            return false;
        if (arithmetic && c->active[n->in[0]->id] && c->active[n->in[1]->id])
            return node_is(n, &op_mul) || node_is(n, &op_div) ||
                   (node_is(n, &op_add) && (is_divided(c, n->in[0]) || is_divided(c, n->in[1])));
        v = n->in[arithmetic && !c->active[n->in[0]->id] ? 1 : 0];
    }
    return false;
}

/* Keras' Rescaling and Normalization, the mean and deviation of ImageNet: factors and summands before the first layer.
 * A normalisation layer that learns says so by its name. */
static bool is_preprocessing(const struct candidate *c)
{
    const struct value *other;

    if (c->place->use != PARAMETER_TRAINS_UNLESS_SCALAR || !c->has_weights || c->through)
        return false;
    other = c->reader->in[1 - c->place->input];
    return other && c->active[other->id] && !c->behind_weights[other->id] && !is_slope(c) &&
           !says_batch_normalization(c->reader->name) && !says_batch_normalization(c->name) && !is_normalized(c, other);
}

/* The ones and zeros of an InstanceNormalization that stands for GroupNormalization: channels are made groups before it,
 * and behind it, where they are channels again, a factor of each follows. */
static bool is_of_groups(const struct candidate *c)
{
    const struct node *n = c->reader, *next;

    if (!node_is(n, &op_instance_normalization) || !tensor_is_uniform(c->content) ||
        element_getter(c->content->dtype)(c->content->data, 0) != (c->place->input == 1) || !n->in[0]->producer ||
        !node_is(n->in[0]->producer, &op_reshape))
        return false;
    next = c->readers[n->out[0]->id];
    next = next && node_is(next, &op_reshape) ? c->readers[next->out[0]->id] : NULL;
    return next && node_is(next, &op_mul) && c->active[next->in[0]->id] != c->active[next->in[1]->id];
}

bool says_positions(const char *name)
{
    return text_contains(name, "pos_emb") || text_contains(name, "position_emb") ||
           text_contains(name, "positional_emb");
}

/* As TensorFlow and Keras call them. */
static bool says_drawn(const char *name)
{
    static const char *const words[] = { "stateless_random", "stateless_dropout", "gaussian_noise", "gaussian_dropout",
                                         "alpha_dropout" };

    for (size_t k = 0; name && k < sizeof words / sizeof *words; k++)
        if (strstr(name, words[k]))
            return true;
    return false;
}

bool is_drawn_once(const struct node *n, int input, const char *name, const struct tensor *t)
{
    const bool by_name = says_drawn(n->name);

    if (t->rank < 2 || tensor_count(t) < 2)
        return false;
    if (node_is(n, &op_gemm))
        return input == 2 && says_drawn(name);
    return (node_is(n, &op_add) || node_is(n, &op_sub) || node_is(n, &op_mul)) && (by_name || says_drawn(name));
}

static bool is_drawn(const struct candidate *c)
{
    return !c->through && is_drawn_once(c->reader, c->place->input, c->name, c->content);
}

/* PyTorch's affine=False and the like. */
static bool is_not_affine(const struct candidate *c)
{
    return c->place->use != PARAMETER_IS_STATISTIC &&
           affine_of(c->model, c->reader, c->value, c->content) == AFFINE_NONE;
}

/* What a normalisation reads as its scale may be a buffer that an exporter has merged with it: both may be of ones. */
static bool is_buffer(const struct candidate *c)
{
    return c->buffer && c->place->use != PARAMETER_IS_STATISTIC && !affine_is_normalization(c->reader);
}

/* -- attention -- */

/* What only rearranges, or multiplies or adds what stays as it is: what it is done to; NULL. */
static const struct value *passed_on(const struct candidate *c, const struct node *n)
{
    if (n->def->flags & OP_REARRANGES)
        return n->in[0];
    return node_is(n, &op_mul) || node_is(n, &op_div) || node_is(n, &op_add) ? active_input(c, n) : NULL;
}

enum { NEAR = 32 }; /* nodes between attention's products and Softmax, at most */

/* The node before the value that does more than that. */
static const struct node *made_by(const struct candidate *c, const struct value *v)
{
    for (int k = 0; k < NEAR && v && v->producer && passed_on(c, v->producer); k++)
        v = passed_on(c, v->producer);
    return v ? v->producer : NULL;
}

/* Attention weights, masked or not? */
static bool is_softmax(const struct candidate *c, const struct value *v)
{
    const struct node *n = made_by(c, v);

    return n && node_is(n, &op_softmax);
}

/* A product of what two layers have made, scaled or not: scores of attention. */
static bool is_score(const struct candidate *c, const struct value *v)
{
    const struct node *n = v ? v->producer : NULL;

    while (n && (node_is(n, &op_mul) || node_is(n, &op_div) || node_is(n, &op_add)) && n->in[0] && n->in[1]) {
        const int k = c->active[n->in[0]->id] ? 0 : 1;

        n = n->in[k]->producer;
    }
    return n && node_is(n, &op_matmul) && n->in[0] && n->in[1] && c->active[n->in[0]->id] && c->active[n->in[1]->id] &&
           !is_softmax(c, n->in[0]);
}

/* What is added to scores, one for each pair of positions: a mask, ALiBi. */
static bool is_added_to_scores(const struct candidate *c)
{
    if (c->through && node_is(c->through, &op_gather)) /* a table that is learned: of relative positions */
        return false;
    return node_is(c->reader, &op_add) && c->content->rank >= 2 && is_score(c, c->reader->in[1 - c->place->input]);
}

/* Nothing that is learned is 0 but where it is -1e4 or less, as a summand, or is 0 here and 1 there, as a factor. */
static bool is_mask(const struct candidate *c)
{
    element_get *const get = element_getter(c->content->dtype);
    const bool factor = node_is(c->reader, &op_mul);
    bool zero = false, other = false;

    if (c->place->use != PARAMETER_TRAINS_UNLESS_SCALAR)
        return false;
    for (int64_t k = 0, n = tensor_count(c->content); k < n; k++) {
        const double x = get(c->content->data, k);

        if (x != 0 && !(x <= -1e4) && !(factor && x == 1))
            return false;
        zero |= x == 0;
        other |= x != 0;
    }
    return other && (zero || !factor);
}

/* The node behind the value that does more than that; NULL where there are several. */
static const struct node *read_by(const struct candidate *c, const struct value *v)
{
    const struct node *n = v ? c->readers[v->id] : NULL;

    for (int k = 0; k < NEAR && n && passed_on(c, n); k++)
        n = n->out[0] ? c->readers[n->out[0]->id] : NULL;
    return n;
}

static bool is_product(const struct candidate *c, const struct node *n)
{
    return n && node_is(n, &op_matmul) && n->in[0] && n->in[1] && c->active[n->in[0]->id] && c->active[n->in[1]->id];
}

/* What a mask leaves when others have computed the rest of it: zeros for each pair of positions, added to scores between
 * their product and Softmax, or to attention weights between Softmax and their product with values. */
static bool is_rest_of_mask(const struct candidate *c)
{
    const struct tensor *t = c->content;
    const struct node *before, *behind;

    if (!node_is(c->reader, &op_add) || c->through || t->rank < 2 || t->dims[t->rank - 1] < 2 ||
        t->dims[t->rank - 2] < 2 || !tensor_is_all(t, 0))
        return false;
    before = made_by(c, c->reader->in[1 - c->place->input]);
    behind = read_by(c, c->reader->out[0]);
    return before && behind &&
           ((node_is(before, &op_softmax) && is_product(c, behind)) ||
            (is_product(c, before) && node_is(behind, &op_softmax)));
}

/* -- tokens -- */

/* What TensorFlow's repeat makes of it: a copy for each sample in a dimension of its own, which then goes. */
static bool is_repeated(const struct candidate *c)
{
    const struct value *v = c->reader->in[c->place->input];

    return c->through && node_is(c->through, &op_tile) && v && v->producer && node_is(v->producer, &op_reshape);
}

/* [1, vectors, width], with width above 1 */
static bool is_vectors(const struct candidate *c)
{
    const struct tensor *t = c->content;

    if (t->rank == 4 && is_repeated(c))
        return t->dims[0] == 1 && t->dims[1] == 1 && t->dims[2] == 1 && t->dims[3] > 1;
    return t->rank == 3 && t->dims[0] == 1 && t->dims[2] > 1;
}

/* Is it called a token, or a variable, as TensorFlow calls what is learned? */
static bool says_token(const char *name)
{
    return name && (text_contains(name, "token") || strstr(name, "ReadVariableOp"));
}

/* Joined to activations, and no vectors of a sequence, or the same number everywhere, as padding is: but a token that was
 * never trained may be of zeros, where it is called one. */
static bool is_no_token(const struct candidate *c)
{
    return c->place->use == PARAMETER_TRAINS_AS_TOKEN &&
           (!is_vectors(c) || (tensor_is_uniform(c->content) && !says_token(c->name)));
}

bool may_be_token(const struct candidate *c)
{
    return c->place->use == PARAMETER_TRAINS_AS_TOKEN && tensor_count(c->content) > 0 && is_vectors(c) &&
           tensor_is_all(c->content, 0) && !says_token(c->name) && !c->buffer;
}

/* -- states -- */

/* Zeros are what layers begin with that learn no state. */
static bool is_no_state(const struct candidate *c)
{
    return c->place->use == PARAMETER_TRAINS_AS_STATE &&
           (tensor_is_uniform(c->content) || !c->through || !node_is(c->through, &op_expand));
}

/* -- positions -- */

/* Element (row, column) of a table that is the last two dimensions. */
static double at(const struct tensor *t, int64_t row, int64_t column)
{
    return element_getter(t->dtype)(t->data, row * t->dims[t->rank - 1] + column);
}

/* Are columns a and b the sine and the cosine of one angle, which is 0 in the first row? */
static bool is_pair(const struct tensor *t, int64_t rows, int64_t a, int64_t b)
{
    enum { MOST = 64 }; /* rows that are looked at */

    if (fabs(at(t, 0, a)) > 1e-6 || fabs(at(t, 0, b) - 1) > 1e-6)
        return false;
    for (int64_t r = 0; r < rows && r < MOST; r++)
        if (fabs(at(t, r, a) * at(t, r, a) + at(t, r, b) * at(t, r, b) - 1) > 1e-3)
            return false;
    return true;
}

/* Positions as sines and cosines (Vaswani and others, arXiv:1706.03762): in turn, or one half each. */
static bool is_sinusoid(const struct candidate *c)
{
    const struct tensor *t = c->content;
    int64_t rows, width;
    bool turns = true, halves = true;

    if (c->place->use != PARAMETER_TRAINS_UNLESS_SCALAR || t->rank < 2)
        return false;
    width = t->dims[t->rank - 1];
    rows = 1;
    for (int d = t->rank - 2; d >= 0 && rows == 1; d--)
        rows = t->dims[d];
    if (rows < 2 || width < 2 || width % 2 || tensor_count(t) != rows * width)
        return false;
    for (int64_t k = 0; k < width / 2; k++) {
        turns = turns && is_pair(t, rows, 2 * k, 2 * k + 1);
        halves = halves && is_pair(t, rows, k, k + width / 2);
    }
    return turns || halves;
}

/* -- all of it -- */

const char *constant_reason(const struct candidate *c)
{
    static const struct {
        bool (*is)(const struct candidate *c);
        const char *why;
    } reasons[] = {
        { is_quantization, "the scale of what is quantised, which learns if it is asked to" },
        { is_computed_statistic, "a statistic that is computed" },
        { is_empty, "has no elements" },
        { is_buffer, "a buffer, which does not train in PyTorch" },
        { is_measured, "nothing but sizes of what it makes is read" },
        { is_no_beta, "no place where something is learned" },
        { is_scalar, "a scalar" },
        { is_of_groups, "is of groups, whose channels have factors of their own" },
        { is_drawn, "random numbers that were drawn once" },
        { is_not_affine, "stands for a scale or a bias that the layer does not have" },
        { is_preprocessing, "is done to an input before the first layer" },
        { is_no_token, "is joined to activations, and no token of a sequence" },
        { is_no_state, "is no state that was learned for all samples" },
        { is_mask, "a mask" },
        { is_rest_of_mask, "what is left of a mask" },
        { is_added_to_scores, "is added to attention scores: a mask or distances" },
        { is_sinusoid, "positions as sines and cosines" },
    };

    if (!is_wide_enough(c))
        return "has less than 16 bits";
    for (size_t k = 0; k < sizeof reasons / sizeof *reasons; k++)
        if (reasons[k].is(c))
            return reasons[k].why;
    return NULL;
}
