/* Which files the external data of a model lies in. They are found by what the model says, whether or not it has been
 * built: a model that is only copied refers to them as well. */
#include "model/files.h"
#include "model/model.h"
#include "model/way.h"
#include <fcntl.h>
#include <limits.h>
#include <string.h>

/* -- tensors of a model -- */

struct walk {
    external_visit *visit;
    void *user;
};

static bool visit_tensor(const struct walk *w, Onnx__TensorProto *t)
{
    return !t || !external_is(t) || w->visit(w->user, t);
}

static bool visit_sparse(const struct walk *w, const Onnx__SparseTensorProto *s)
{
    return !s || (visit_tensor(w, s->values) && visit_tensor(w, s->indices));
}

static bool visit_graph(const struct walk *w, const Onnx__GraphProto *g);

static bool visit_attribute(const struct walk *w, const Onnx__AttributeProto *a)
{
    bool ok = visit_tensor(w, a->t) && visit_sparse(w, a->sparse_tensor) && (!a->g || visit_graph(w, a->g));

    for (size_t k = 0; ok && k < a->n_tensors; k++)
        ok = visit_tensor(w, a->tensors[k]);
    for (size_t k = 0; ok && k < a->n_sparse_tensors; k++)
        ok = visit_sparse(w, a->sparse_tensors[k]);
    for (size_t k = 0; ok && k < a->n_graphs; k++)
        ok = visit_graph(w, a->graphs[k]);
    return ok;
}

/* Messages are at most MESSAGE_DEPTH deep: the recursion is bounded. */
static bool visit_nodes(const struct walk *w, Onnx__NodeProto *const *nodes, size_t count)
{
    for (size_t k = 0; k < count; k++)
        for (size_t a = 0; a < nodes[k]->n_attribute; a++)
            if (!visit_attribute(w, nodes[k]->attribute[a]))
                return false;
    return true;
}

static bool visit_graph(const struct walk *w, const Onnx__GraphProto *g)
{
    for (size_t k = 0; k < g->n_initializer; k++)
        if (!visit_tensor(w, g->initializer[k]))
            return false;
    for (size_t k = 0; k < g->n_sparse_initializer; k++)
        if (!visit_sparse(w, g->sparse_initializer[k]))
            return false;
    return visit_nodes(w, g->node, g->n_node);
}

bool external_each(const Onnx__ModelProto *m, external_visit *visit, void *user)
{
    const struct walk w = { visit, user };

    for (size_t k = 0; k < m->n_functions; k++)
        if (!visit_nodes(&w, m->functions[k]->node, m->functions[k]->n_node))
            return false;
    for (size_t k = 0; k < m->n_training_info; k++)
        if ((m->training_info[k]->initialization && !visit_graph(&w, m->training_info[k]->initialization)) ||
            (m->training_info[k]->algorithm && !visit_graph(&w, m->training_info[k]->algorithm)))
            return false;
    return !m->graph || visit_graph(&w, m->graph);
}

/* -- files -- */

struct external_file {
    struct external_file *next;
    const char *location;
};

struct noting {
    struct model *model;
    struct map met;
    struct report *report;
};

static const char *location_of(const Onnx__TensorProto *t)
{
    for (size_t k = 0; k < t->n_external_data; k++)
        if (t->external_data[k]->key && t->external_data[k]->value && strcmp(t->external_data[k]->key, "location") == 0)
            return t->external_data[k]->value;
    return NULL;
}

static bool find_file(const struct model *m, const char *location, struct stat *s)
{
    return fstatat(m->external.directory, location, s, 0) == 0;
}

static bool add_file(struct model *m, const char *location, struct report *r)
{
    struct external_file *f = arena_alloc(&m->arena, sizeof *f, r);

    if (!f || !(f->location = arena_string(&m->arena, location, strlen(location), r)))
        return false;
    f->next = m->external_files;
    m->external_files = f;
    return true;
}

static bool note(void *user, Onnx__TensorProto *t)
{
    struct noting *n = user;
    const char *location = location_of(t);
    struct stat s;

    if (!location || map_has(&n->met, location))
        return true;
    return map_put(&n->met, location, n->report) && add_file(n->model, location, n->report) &&
           (!find_file(n->model, location, &s) || files_read(&s, location, FILE_READ, n->report));
}

bool external_files_note(struct model *m, struct report *r)
{
    struct noting n = { .model = m, .report = r };
    bool ok;

    map_init(&n.met, &m->budget);
    ok = external_each(m->proto, note, &n);
    map_release(&n.met);
    return ok;
}

bool external_files_copy(struct model *m, const struct model *from, struct report *r)
{
    for (const struct external_file *f = from->external_files; f; f = f->next)
        if (!add_file(m, f->location, r))
            return false;
    return true;
}

bool external_files_spare(const struct model *m, const char *path, struct report *r)
{
    struct stat target, s;

    if (!m->external_files || stat(path, &target) < 0)
        return true;
    for (const struct external_file *f = m->external_files; f; f = f->next)
        if (find_file(m, f->location, &s) && same_file(&s, &target))
            return fail(r, KILN_BAD_ARGUMENT, NULL,
                        "'%s' is '%s', where external data of the model lies: it is not written over", path,
                        f->location);
    return true;
}

struct move {
    struct external from, to;
};

/* What is found from neither is left as it is. */
static bool stays(void *user, Onnx__TensorProto *t)
{
    struct move *m = user;

    return external_finds(&m->to, t) || !external_finds(&m->from, t);
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

static bool in_directory(const struct external *e, const char *path)
{
    struct stat x, y;

    return e->open && fstat(e->directory, &x) == 0 && directory_of(path, &y) && same_file(&x, &y);
}

bool external_files_stay(const struct model *m, const char *path)
{
    struct move move = { .from = m->external }; /* borrowed */
    struct budget unlimited = { 0 };
    struct report quiet = { 0 };
    struct stat file;
    bool ok;

    if (!in_directory(&m->external, path))
        return false;
    if (m->external.target < 0 && m->external.cache < 0) /* then nothing is found but what lies below that directory */
        return true;
    if (!external_open(&move.to, path, stat(path, &file) == 0 ? &file : NULL, NULL, &unlimited, &quiet))
        return false;
    ok = external_each(m->proto, stays, &move);
    external_close(&move.to);
    return ok;
}
