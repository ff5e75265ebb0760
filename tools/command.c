#include "tools.h"
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* -- errors and warnings -- */

static void tell_line(const char *kind, const char *file, const char *where, const char *message)
{
    if (file && (strstr(message, file) || strstr(where, file))) /* it names the file itself */
        file = NULL;
    say_to(stderr, "kiln: %s%s%s%s%s%s\n", kind, file ? file : "", file ? ": " : "", where, *where ? ": " : "",
           message);
}

int tell_error(const char *file, const kiln_error *e)
{
    tell_line("", file, e->where, e->message);
    if (e->count > 1)
        say_to(stderr, "kiln: %s%sand %d more\n", file ? file : "", file ? ": " : "", e->count - 1);
    return -(int)e->code;
}

void tell_each(void *user, kiln_status code, const char *where, const char *message)
{
    struct teller *t = user;

    if (code == KILN_OK) {
        tell_line("warning: ", t->file, where, message);
        return;
    }
    if (t->held || code == KILN_STOPPED) /* by a callback of ours, which knows why */
        return;
    for (int k = 0; k < t->told; k++)
        if (strncmp(t->message[k], message, sizeof t->message[k] - 1) == 0)
            return;
    if (t->told == TELLER_MESSAGES)
        return;
    snprintf(t->message[t->told++], sizeof *t->message, "%s", message);
    tell_line("", t->file, where, message);
}

void tell_nothing(void *user, kiln_status code, const char *where, const char *message)
{
    (void)user;
    (void)code;
    (void)where;
    (void)message;
}

/* What tell_each left out is counted. */
static int tell_rest(const struct teller *t, const kiln_error *e)
{
    if (!t->told)
        return tell_error(t->file, e);
    if (e->count > t->told)
        say_to(stderr, "kiln: %s%sand %d more like %s\n", t->file ? t->file : "", t->file ? ": " : "",
               e->count - t->told, t->told > 1 ? "these" : "it");
    return -(int)e->code;
}

bool command_fail(struct command *c, kiln_status code, const char *where, const char *format, ...)
{
    va_list args;

    c->err = (kiln_error){ .code = code, .count = 1 };
    snprintf(c->err.where, sizeof c->err.where, "%s", where ? where : "");
    va_start(args, format);
    vsnprintf(c->err.message, sizeof c->err.message, format, args);
    va_end(args);
    c->teller.told = 0;
    return false;
}

bool command_no_memory(struct command *c)
{
    return command_fail(c, KILN_NO_MEMORY, NULL, "out of memory");
}

bool command_fail_system(struct command *c, const char *path)
{
    return command_fail(c, errno == ENOMEM ? KILN_NO_MEMORY : KILN_IO, path, "%s", strerror(errno));
}

static bool make_one(struct command *c, const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST || command_fail_system(c, path);
}

bool command_make_directory(struct command *c, const char *path)
{
    char *part = strdup(path);
    bool ok = part || command_no_memory(c);

    for (char *at = part; ok && *at; at++)
        if (*at == '/' && at > part) {
            *at = '\0';
            ok = make_one(c, part);
            *at = '/';
        }
    free(part);
    return ok && make_one(c, path);
}

/* -- the work -- */

bool command_start(struct command *c, int threads)
{
    kiln_context_options o = KILN_CONTEXT_OPTIONS_INIT;

    o.threads = threads;
    o.memory = c->limits.memory;
    o.files_apart = true;
    o.diagnostic = tell_each;
    o.user = &c->teller;
    return kiln_context_new(&c->context, &o, &c->err) == KILN_OK;
}

int command_end(struct command *c, bool ok)
{
    kiln_context_free(c->context);
    return ok ? 0 : tell_rest(&c->teller, &c->err);
}

kiln_load_options load_options(const struct command *c)
{
    kiln_load_options o = KILN_LOAD_OPTIONS_INIT;

    o.context = c->context;
    o.seconds = c->limits.seconds;
    o.follow_links = c->limits.links;
    return o;
}

kiln_model *open_model(struct command *c, const char *path)
{
    const kiln_load_options o = load_options(c);
    kiln_model *m;

    c->teller.file = path;
    kiln_model_open(&m, path, &o, &c->err);
    return m;
}

bool fill_model(struct command *c, kiln_model **m, uint64_t seed, size_t *drawn)
{
    kiln_model *filled;

    if (!kiln_model_missing_count(*m))
        return true;
    if (kiln_model_initialize(&filled, *m, seed, false, drawn, &c->err) != KILN_OK)
        return false;
    kiln_model_free(*m);
    *m = filled;
    return true;
}

kiln_model *open_filled_model(struct command *c, const char *path, uint64_t seed, size_t *drawn)
{
    kiln_model *m = open_model(c, path);

    if (!m || fill_model(c, &m, seed, drawn))
        return m;
    kiln_model_free(m);
    return NULL;
}

kiln_tensor *random_input(struct command *c, const kiln_value_info *input, int64_t batch, uint64_t seed, int32_t stream)
{
    int64_t dims[KILN_MAX_RANK];
    kiln_tensor *t = NULL;

    if (input->kind != KILN_TENSOR || input->rank < 0 || !input->dtype) {
        command_fail(c, KILN_BAD_ARGUMENT, NULL, "input '%s' must be given, its type is too open to be made up",
                     input->name);
        return NULL;
    }
    for (int d = 0; d < input->rank; d++)
        dims[d] = input->dims[d] >= 0 ? input->dims[d] : d ? 1 : batch;
    if (kiln_tensor_new_random(&t, input->dtype, input->rank, dims, seed, stream, &c->err) == KILN_LIMIT)
        command_fail(c, KILN_LIMIT, NULL, "input '%s' must be given: %.300s", input->name, c->err.message);
    return t;
}

const char *model_metadata_of(const kiln_model *m, const char *prefix, const char *name)
{
    const size_t length = strlen(prefix);
    const char *key, *value;

    for (size_t k = 0; kiln_model_metadata(m, k, &key, &value); k++)
        if (strncmp(key, prefix, length) == 0 && strcmp(key + length, name) == 0)
            return value;
    return NULL;
}

bool write_file(void *user, const void *bytes, size_t count)
{
    return fwrite(bytes, 1, count, user) == count;
}

bool save_trace(struct command *c, const char *path, const kiln_session *session, const kiln_trainer *trainer)
{
    struct page page = { .command = c };
    const kiln_status got = session ? kiln_session_trace(session, page_write, &page, &c->err)
                                    : kiln_trainer_trace(trainer, page_write, &page, &c->err);

    if (got == KILN_OK)
        return page_save(&page, path, c);
    page_free(&page);
    return false;
}

double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool ends_with(const char *s, const char *end)
{
    return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}
