#include "model/model.h"
#include "model/dialect.h"
#include "model/load.h"
#include "model/proto.h"
#include "model/text.h"
#include <string.h>

static struct model *model_new(const struct model_options *o, struct report *r)
{
    struct budget unlimited = { 0 }, *b = &unlimited;
    struct model *m = budget_zalloc(b, 1, sizeof *m, r);

    if (!m)
        return NULL;
    if (o)
        m->budget = (struct budget){ .limit = o->memory, .total = o->total, .seconds = o->seconds };
    m->arena.budget = &m->budget;
    return m;
}

void model_free(struct model *m)
{
    struct budget unlimited = { .used = SIZE_MAX };

    if (!m)
        return;
    graph_release(m->graph);
    message_free(m->proto, &m->budget);
    external_close(&m->external);
    arena_release(&m->arena);
    budget_free(&unlimited, m); /* the model holds its own budget: its struct is not charged to it */
}

static bool set_path(struct model *m, const char *path, struct report *r)
{
    m->path = path ? arena_string(&m->arena, path, strlen(path), r) : NULL;
    return m->path || !path;
}

/* What was read within the time is kept. */
static struct model *end_reading(struct model *m, bool ok, struct report *r)
{
    if (ok && dialect_translate(m, r) && budget_in_time(&m->budget, NULL, r)) {
        budget_stop(&m->budget);
        return m;
    }
    model_free(m);
    return NULL;
}

struct model *model_read_bytes(const void *bytes, size_t size, const struct model_options *o, struct report *r)
{
    struct model *m = model_new(o, r);

    if (!m)
        return NULL;
    budget_start(&m->budget);
    m->proto = text_is_model(bytes, size) ? text_read_model(bytes, size, &m->budget, r)
                                          : proto_unpack_model(bytes, size, o ? &o->limits : NULL, &m->budget, r);
    return end_reading(m, m->proto, r);
}

struct model *model_read(const char *path, const struct model_options *o, struct report *r)
{
    struct model *m = model_new(o, r);
    struct stat file;
    bool ok;

    if (!m)
        return NULL;
    budget_start(&m->budget);
    m->proto = load_model(path, o ? &o->limits : NULL, &file, &m->budget, r);
    ok = m->proto && set_path(m, path, r) &&
         external_open(&m->external, path, &file, o ? o->cache : NULL, &m->budget, r);
    return end_reading(m, ok && external_files_note(m, r), r);
}

static struct model *copy_of(const struct model *m, struct budget *total, struct report *r)
{
    struct model_options o = model_limits(m);
    struct model *copy;

    o.total = total;
    copy = model_new(&o, r);
    if (copy && (copy->proto = message_copy(m->proto, &copy->budget, r)) && set_path(copy, m->path, r) &&
        external_copy(&copy->external, &m->external, &copy->budget, r) && external_files_copy(copy, m, r))
        return copy;
    model_free(copy);
    return NULL;
}

struct model *model_copy_as_is(const struct model *m, struct report *r)
{
    return copy_of(m, m->budget.total, r);
}

struct model *model_copy_within(const struct model *m, struct budget *total, struct report *r)
{
    struct model *copy = copy_of(m, total, r);

    if (copy && model_make_dense(copy, r))
        return copy;
    model_free(copy);
    return NULL;
}

struct model *model_copy(const struct model *m, struct report *r)
{
    return model_copy_within(m, m->budget.total, r);
}
