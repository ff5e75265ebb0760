/* Models mutated as bytes and as parsed messages (attributes, shapes, names, types, wiring), each put through try_model
 * in a process of its own: a crash or a hang is told with the seed that makes it again. Usage: mutate bytes|messages
 * COUNT SEED MODEL... */
#include "model/file.h"
#include "model/message.h"
#include "model/proto.h"
#include "model/text.h"
#include "ops/op.h"
#include "try.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 60, MAX_MODEL = 256 << 10, STAGES = 5, FIRST_STAGE = 32 }; /* sanitizers end with 1 */

static uint64_t state;

static uint64_t next(void) /* splitmix64; https://prng.di.unimi.it/splitmix64.c */
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(size_t n)
{
    return n ? (size_t)(next() % n) : 0;
}

static const int64_t numbers[] = { 0,         1,         -1,           2,      3,         -2,        7,
                                   8,         255,       16,           64,     INT32_MAX, INT32_MIN, INT64_MAX,
                                   INT64_MIN, 1ll << 32, -(1ll << 33), 1000003 };

static int64_t number(void)
{
    return numbers[below(sizeof numbers / sizeof *numbers)];
}

/* -- bytes -- */

static size_t mutate_bytes(uint8_t *bytes, size_t size)
{
    for (size_t n = 1 + below(8); n-- > 0 && size;)
        switch (below(5)) {
        case 0:
            bytes[below(size)] ^= (uint8_t)(1u << below(8));
            break;
        case 1:
            bytes[below(size)] = (uint8_t)next();
            break;
        case 2: /* where structure is: early */
            bytes[below(size < 400 ? size : 400)] = (uint8_t)next();
            break;
        case 3: {
            const size_t from = below(size), to = below(size), most = size - (from > to ? from : to);

            memmove(bytes + to, bytes + from, below(most < 64 ? most : 64));
            break;
        }
        default:
            if (below(4) == 0)
                size = below(size);
            break;
        }
    return size;
}

/* -- messages -- */

static struct budget budget;
static struct report report;

static void set_string(char **s, const char *to)
{
    char *copy = message_string(to, strlen(to), &budget, &report);

    if (copy) {
        if (*s && **s) /* protobuf-c shares one empty string */
            budget_free(&budget, *s);
        *s = copy;
    }
}

static const char *any_name(const Onnx__GraphProto *g)
{
    const Onnx__NodeProto *n = g->n_node ? g->node[below(g->n_node)] : NULL;

    switch (below(5)) {
    case 0:
        return "";
    case 1:
        return "nowhere";
    case 2:
        return g->n_initializer ? g->initializer[below(g->n_initializer)]->name : "x";
    case 3:
        return n && n->n_output ? n->output[below(n->n_output)] : "y";
    default:
        return g->n_input ? g->input[below(g->n_input)]->name : "z";
    }
}

static void mutate_attribute(Onnx__AttributeProto *a)
{
    switch (below(6)) {
    case 0:
        a->has_type = true;
        a->type = (Onnx__AttributeProto__AttributeType)below(16);
        break;
    case 1:
        set_string(&a->name, below(2) ? "axis" : "perm");
        break;
    case 2:
        a->i = number();
        a->f = (float)number() / 3;
        break;
    case 3:
        if (a->n_ints)
            a->ints[below(a->n_ints)] = number();
        break;
    case 4:
        if (a->n_ints)
            a->n_ints = below(a->n_ints + 1);
        break;
    default:
        if (a->has_s && a->s.len)
            a->s.data[below(a->s.len)] ^= 1;
        break;
    }
}

/* The operators of the registry, and a name that none has. */
static const char *any_op(void)
{
    size_t n = 0;

    while (op_registry[n])
        n++;
    n = below(n + 1);
    return op_registry[n] ? op_registry[n]->name : "Nothing";
}

static void mutate_node(const Onnx__GraphProto *g, Onnx__NodeProto *n)
{
    switch (below(8)) {
    case 0:
        set_string(&n->op_type, any_op());
        break;
    case 1:
    case 2:
        if (n->n_input)
            set_string(&n->input[below(n->n_input)], any_name(g));
        break;
    case 3:
        if (n->n_output)
            set_string(&n->output[below(n->n_output)], any_name(g));
        break;
    case 4:
        if (n->n_input)
            n->n_input = below(n->n_input);
        break;
    case 5:
        if (n->n_attribute)
            n->n_attribute = below(n->n_attribute);
        break;
    default:
        if (n->n_attribute)
            mutate_attribute(n->attribute[below(n->n_attribute)]);
        break;
    }
}

static void mutate_tensor(Onnx__TensorProto *t)
{
    switch (below(5)) {
    case 0:
        t->data_type = (int32_t)below(30);
        break;
    case 1:
    case 2:
        if (t->n_dims)
            t->dims[below(t->n_dims)] = number();
        break;
    case 3:
        if (t->has_raw_data && t->raw_data.len)
            t->raw_data.data[below(t->raw_data.len)] = (uint8_t)next();
        break;
    default:
        if (t->n_int64_data)
            t->int64_data[below(t->n_int64_data)] = number();
        if (t->has_raw_data && t->raw_data.len >= 8 && t->data_type == ONNX__TENSOR_PROTO__DATA_TYPE__INT64) {
            const int64_t x = number();

            memcpy(t->raw_data.data + 8 * below(t->raw_data.len / 8), &x, 8);
        }
        break;
    }
}

static void mutate_type(Onnx__ValueInfoProto *v)
{
    Onnx__TypeProto__Tensor *t =
        v->type && v->type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? v->type->tensor_type : NULL;

    if (!t)
        return;
    if (below(2))
        t->elem_type = (int32_t)below(30);
    if (t->shape && t->shape->n_dim) {
        Onnx__TensorShapeProto__Dimension *d = t->shape->dim[below(t->shape->n_dim)];

        if (d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE)
            d->dim_value = number();
    }
}

/* The main graph, or a subgraph of a node of it, or one of that. */
static Onnx__GraphProto *any_graph(Onnx__GraphProto *g)
{
    for (size_t tries = 0; tries < 4 && g->n_node; tries++) {
        const Onnx__NodeProto *n = g->node[below(g->n_node)];
        const Onnx__AttributeProto *a = n->n_attribute ? n->attribute[below(n->n_attribute)] : NULL;

        if (a && a->g)
            g = a->g;
    }
    return g;
}

static void mutate_message(Onnx__ModelProto *m)
{
    for (size_t n = 1 + below(4); n-- > 0 && m->graph;) {
        Onnx__GraphProto *g = any_graph(m->graph);

        switch (below(8)) {
        case 0:
            if (g->n_initializer)
                mutate_tensor(g->initializer[below(g->n_initializer)]);
            break;
        case 1:
            if (g->n_input)
                mutate_type(g->input[below(g->n_input)]);
            break;
        case 2:
            if (m->n_opset_import)
                m->opset_import[0]->version = 1 + (int64_t)below(28);
            break;
        case 3:
            if (g->n_node > 1) {
                const size_t a = below(g->n_node), b = below(g->n_node);
                Onnx__NodeProto *node = g->node[a];

                g->node[a] = g->node[b];
                g->node[b] = node;
            }
            break;
        default:
            if (g->n_node)
                mutate_node(g, g->node[below(g->n_node)]);
            break;
        }
    }
}

/* -- one after another -- */

struct original {
    uint8_t *bytes;
    size_t size;
};

/* The mutant that a seed makes of a model; *bytes is freed with the budget. */
static void mutant(const struct original *o, bool messages, uint8_t **bytes, size_t *size)
{
    struct report r = { 0 };
    Onnx__ModelProto *m = messages ? proto_unpack_model(o->bytes, o->size, NULL, &budget, &r) : NULL;

    *bytes = NULL;
    *size = 0;
    if (m) {
        mutate_message(m);
        if (!proto_pack(m, bytes, size, &budget, &r))
            *bytes = NULL;
        return; /* swapped and shortened lists are not freed: the process ends here */
    }
    if (messages)
        return;
    *bytes = budget_alloc(&budget, o->size, NULL);
    if (*bytes) {
        memcpy(*bytes, o->bytes, o->size);
        *size = mutate_bytes(*bytes, o->size);
    }
}

static bool survives(const struct original *o, bool messages, uint64_t seed, int stages[STAGES])
{
    const pid_t child = fork();
    int status;

    if (child == 0) {
        uint8_t *bytes;
        size_t size;

        alarm(SECONDS);
        state = seed;
        mutant(o, messages, &bytes, &size);
        _exit(bytes ? FIRST_STAGE + try_model(bytes, size, TRY_TRAINING) : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFEXITED(status) && WEXITSTATUS(status) >= FIRST_STAGE && WEXITSTATUS(status) < FIRST_STAGE + STAGES) {
        stages[WEXITSTATUS(status) - FIRST_STAGE]++;
        return true;
    }
    return false;
}

/* Text models become messages first. */
static bool read_original(struct original *o, const char *path)
{
    struct report r = { 0 };
    Onnx__ModelProto *m;

    if (!file_read(path, 0, &o->bytes, &o->size, &budget, &r))
        return false;
    if (!text_is_model(o->bytes, o->size))
        return o->size <= MAX_MODEL;
    m = text_read_model((const char *)o->bytes, o->size, &budget, &r);
    budget_free(&budget, o->bytes);
    if (!m || !proto_pack(m, &o->bytes, &o->size, &budget, &r))
        return false;
    message_free(m, &budget);
    return o->size <= MAX_MODEL;
}

int main(int argc, char **argv)
{
    const bool messages = argc > 1 && strcmp(argv[1], "messages") == 0;
    const int count = argc > 2 ? atoi(argv[2]) : 0;
    const uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    struct original *all = calloc((size_t)argc, sizeof *all);
    int stages[STAGES] = { 0 }, died = 0;
    size_t originals = 0;

    if (argc < 5 || !all) {
        fprintf(stderr, "Usage: mutate bytes|messages COUNT SEED MODEL...\n");
        return 2;
    }
    for (int k = 4; k < argc; k++)
        if (read_original(&all[originals], argv[k]))
            originals++;
    for (int k = 0; k < count && originals; k++)
        if (!survives(&all[(size_t)k % originals], messages, seed + (uint64_t)k, stages)) {
            printf("FAIL %s: seed %llu, model %zu of %zu\n", argv[1], (unsigned long long)(seed + (uint64_t)k),
                   (size_t)k % originals, originals);
            died++;
        }
    printf("# %s: %d of %zu models: %d unreadable, %d invalid, %d not run, %d run, %d trained, %d crashed or hung\n",
           argv[1], count, originals, stages[0], stages[1], stages[2], stages[3], stages[4], died);
    if (!died && originals)
        printf("PASS %d models mutated as %s\n", count, argv[1]);
    return died || !originals;
}
