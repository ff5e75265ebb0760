/* Saving: the messages as they are; what lies in files beside the model is brought in, where those files would not be
 * found any more. */
#include "graph/message.h"
#include "graph/text.h"
#include "model/file.h"
#include "model/model.h"
#include "model/proto.h"
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* -- external data ----------------------------------------------------------------------------------------------------
 */

struct embed {
    struct model *copy; /* its messages are changed */
    struct report *report;
    int64_t found;
    bool count_only;
};

static bool embed_tensor(struct embed *e, Onnx__TensorProto *t)
{
    struct arena scratch = { .budget = &e->copy->budget };
    struct tensor content;
    Onnx__TensorProto *made;
    bool ok;

    if (!t || !external_is(t))
        return true;
    e->found++;
    if (e->count_only)
        return true;
    made = message_new(&onnx__tensor_proto__descriptor, &e->copy->budget, e->report);
    ok = made && tensor_of_proto(&content, t, &e->copy->external, &scratch, t->name, e->report) &&
         tensor_to_proto(made, NULL, &content, &e->copy->budget, e->report);
    if (ok) { /* the new data moves over, the list of places goes with the other message */
        const size_t n = t->n_external_data;
        Onnx__StringStringEntryProto **places = t->external_data;

        t->has_raw_data = true;
        t->raw_data = made->raw_data;
        t->has_data_location = false;
        t->external_data = NULL;
        t->n_external_data = 0;
        made->has_raw_data = false;
        made->raw_data = (ProtobufCBinaryData){ 0 };
        made->external_data = places;
        made->n_external_data = n;
    }
    message_free(made, &e->copy->budget);
    arena_release(&scratch);
    return ok;
}

static bool embed_graph(struct embed *e, Onnx__GraphProto *g);

/* Messages are at most MESSAGE_DEPTH deep: the recursion is bounded. */
static bool embed_nodes(struct embed *e, Onnx__NodeProto **nodes, size_t count)
{
    for (size_t k = 0; k < count; k++)
        for (size_t a = 0; a < nodes[k]->n_attribute; a++) {
            Onnx__AttributeProto *attr = nodes[k]->attribute[a];

            if (!embed_tensor(e, attr->t) || (attr->g && !embed_graph(e, attr->g)))
                return false;
            for (size_t t = 0; t < attr->n_tensors; t++)
                if (!embed_tensor(e, attr->tensors[t]))
                    return false;
            for (size_t t = 0; t < attr->n_graphs; t++)
                if (!embed_graph(e, attr->graphs[t]))
                    return false;
        }
    return true;
}

static bool embed_graph(struct embed *e, Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_initializer; k++)
        if (!embed_tensor(e, g->initializer[k]))
            return false;
    for (size_t k = 0; k < g->n_sparse_initializer; k++)
        if (!embed_tensor(e, g->sparse_initializer[k]->values) || !embed_tensor(e, g->sparse_initializer[k]->indices))
            return false;
    return embed_nodes(e, g->node, g->n_node);
}

static bool embed_all(struct embed *e)
{
    Onnx__ModelProto *m = e->copy->proto;

    for (size_t k = 0; k < m->n_functions; k++)
        if (!embed_nodes(e, m->functions[k]->node, m->functions[k]->n_node))
            return false;
    for (size_t k = 0; k < m->n_training_info; k++)
        if ((m->training_info[k]->initialization && !embed_graph(e, m->training_info[k]->initialization)) ||
            (m->training_info[k]->algorithm && !embed_graph(e, m->training_info[k]->algorithm)))
            return false;
    return !m->graph || embed_graph(e, m->graph);
}

static bool directory_of(const char *path, struct stat *s)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) + 1 : 0;
    char name[PATH_MAX] = ".";

    if (n >= sizeof name)
        return false;
    if (n) {
        memcpy(name, path, n);
        name[n] = 0;
    }
    return stat(name, s) == 0;
}

/* Do both files lie in one directory? If in doubt, no. */
static bool same_directory(const char *a, const char *b)
{
    struct stat x, y;

    return directory_of(a, &x) && directory_of(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* -- writing ----------------------------------------------------------------------------------------------------------
 */

static bool write_text(const Onnx__ModelProto *m, const char *path, struct budget *b, struct report *r)
{
    struct text t = { .budget = b, .report = r };
    int64_t lost = 0;
    bool ok = text_write_model(&t, m, NULL, &lost) && file_write(path, t.data, t.length, r);

    if (ok && lost)
        warn(r, path,
             "%lld fields have no place in the textual syntax and are left out; the end of the file lists them",
             (long long)lost);
    text_release(&t);
    return ok;
}

static bool write_binary(const Onnx__ModelProto *m, const char *path, struct budget *b, struct report *r)
{
    uint8_t *bytes = NULL;
    size_t size;
    const bool ok = proto_pack(m, &bytes, &size, b, r) && file_write(path, bytes, size, r);

    budget_free(b, bytes);
    return ok;
}

bool path_is_text(const char *path)
{
    static const char suffix[] = ".onnxtxt";
    const size_t n = strlen(path);

    return n >= sizeof suffix && strcmp(path + n - (sizeof suffix - 1), suffix) == 0;
}

static bool write_model(const Onnx__ModelProto *m, const char *path, const struct budget *like, struct report *r)
{
    struct budget b = budget_like(like);

    return path_is_text(path) ? write_text(m, path, &b, r) : write_binary(m, path, &b, r);
}

bool model_save(const struct model *m, const char *path, struct report *r)
{
    const struct model_options o = model_limits(m);
    struct embed count = { .count_only = true, .report = r };
    struct model probe = *m;
    struct embed e = { .report = r };
    bool ok;

    count.copy = &probe;
    embed_all(&count);
    if (!count.found || (m->path && same_directory(m->path, path) && !path_is_text(path)))
        return write_model(m->proto, path, &m->budget, r);
    e.copy = model_of_proto(m->proto, m->path, &o, r);
    ok = e.copy && embed_all(&e) && write_model(e.copy->proto, path, &m->budget, r);
    model_free(e.copy);
    return ok;
}
