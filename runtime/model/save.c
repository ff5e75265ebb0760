/* Saving: the messages as they are; what lies in files beside the model is brought in, where those files would not be
 * found any more. */
#include "model/file.h"
#include "model/message.h"
#include "model/model.h"
#include "model/proto.h"
#include "model/text.h"
#include <string.h>

/* -- external data -- */

struct embed {
    struct model *copy; /* its messages are changed */
    struct report *report;
};

static bool embed_tensor(void *user, Onnx__TensorProto *t)
{
    struct embed *e = user;
    struct arena scratch = { .budget = &e->copy->budget };
    struct tensor content;
    Onnx__TensorProto *made = message_new(&onnx__tensor_proto__descriptor, &e->copy->budget, e->report);
    const bool ok = made && tensor_of_proto(&content, t, &e->copy->external, &scratch, t->name, e->report) &&
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

/* Ends the walk at the first tensor. */
static bool stop(void *user, Onnx__TensorProto *t)
{
    (void)user;
    (void)t;
    return false;
}

/* -- writing -- */

static bool write_text(const Onnx__ModelProto *m, const char *path, struct budget *b, struct report *r)
{
    struct text t = { .budget = b, .report = r };
    int64_t lost = 0;
    bool ok = text_write_model(&t, m, NULL, &lost) && file_write_model(path, t.data, t.length, r);

    if (ok && lost)
        warn(r, path,
             "%lld fields have no place in the textual syntax and are left out; the end of the file lists them",
             (long long)lost);
    text_release(&t);
    return ok;
}

struct binary {
    const Onnx__ModelProto *message;
    struct report *report;
};

static bool put_in_file(void *to, const void *bytes, size_t size)
{
    return file_put(to, bytes, size);
}

static bool put_binary(void *user, struct file_sink *to)
{
    const struct binary *b = user;

    return proto_put(b->message, put_in_file, to, b->report);
}

static bool write_binary(const Onnx__ModelProto *m, const char *path, struct report *r)
{
    return file_produce_model(path, put_binary, &(struct binary){ m, r }, r);
}

bool path_is_text(const char *path)
{
    static const char suffix[] = ".onnxtxt";
    const size_t n = strlen(path);

    return n >= sizeof suffix && strcmp(path + n - (sizeof suffix - 1), suffix) == 0;
}

static bool write_model(const struct model *m, const char *path, bool text, struct report *r)
{
    struct budget b = budget_like(&m->budget);

    return text ? write_text(m->proto, path, &b, r) : write_binary(m->proto, path, r);
}

/* A copy that holds what lies in files beside the model; as text, which has no sparse tensors, with dense ones. */
static struct model *whole(const struct model *m, bool text, struct report *r)
{
    struct embed e = { .copy = model_copy_as_is(m, r), .report = r };

    if (e.copy && external_each(e.copy->proto, embed_tensor, &e) && (!text || model_make_dense(e.copy, r)))
        return e.copy;
    model_free(e.copy);
    return NULL;
}

static bool has_external(const struct model *m)
{
    return !external_each(m->proto, stop, NULL);
}

bool model_save_as(const struct model *m, const char *path, bool text, struct report *r)
{
    struct model *copy;
    bool ok;

    if (!external_files_spare(m, path, r))
        return false;
    if (!text && (!has_external(m) || external_files_stay(m, path)))
        return write_model(m, path, text, r);
    copy = whole(m, text, r);
    ok = copy && write_model(copy, path, text, r);
    model_free(copy);
    return ok;
}

static bool put_text(const struct model *m, const struct text_options *o, put_bytes *put, void *to, struct report *r)
{
    struct budget b = budget_like(&m->budget);
    struct text t = { .budget = &b, .report = r };
    const bool ok = text_write_model(&t, m->proto, o, NULL) && put(to, t.data, t.length);

    text_release(&t);
    return ok;
}

bool model_put(const struct model *m, bool text, const struct text_options *o, put_bytes *put, void *to,
               struct report *r)
{
    const bool dense =
        text && (!(o && o->most) || m->graph); /* of what cannot be built, people are told what is left out */
    struct model *copy = dense || has_external(m) ? whole(m, dense, r) : NULL;
    const struct model *from = copy ? copy : m;
    const bool ok = !failed(r) && (text ? put_text(from, o, put, to, r) : proto_put(from->proto, put, to, r));

    model_free(copy);
    return ok;
}

bool model_save(const struct model *m, const char *path, struct report *r)
{
    return model_save_as(m, path, path_is_text(path), r);
}
