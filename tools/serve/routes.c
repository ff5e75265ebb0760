#include "serve/routes.h"
#include "serve/about.h"
#include "serve/page.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static const struct {
    const char *path;
    enum route route;
} paths[] = {
    { "/", ROUTE_PAGE },
    { "/models", ROUTE_MODELS },
    { "/metrics", ROUTE_METRICS },
    { "/v2", ROUTE_SERVER },
    { "/v2/", ROUTE_SERVER },
    { "/v2/health/live", ROUTE_LIVE },
    { "/v2/health/ready", ROUTE_READY },
    { "/v2/repository/index", ROUTE_INDEX },
};

static struct target none(const char *why)
{
    return (struct target){ ROUTE_NONE, why, NULL };
}

/* What follows a model's name, or its version. */
static struct target find_of_model(struct served *m, const char *rest)
{
    static const char versions[] = "/versions/";

    if (strncmp(rest, versions, strlen(versions)) == 0) {
        rest += strlen(versions);
        if (strcspn(rest, "/") != 1 || *rest != '1')
            return none("there is no such version of the model, only 1");
        rest++;
    }
    if (!*rest)
        return (struct target){ ROUTE_MODEL, NULL, m };
    if (strcmp(rest, "/ready") == 0)
        return (struct target){ ROUTE_MODEL_READY, NULL, m };
    if (strcmp(rest, "/infer") == 0)
        return (struct target){ ROUTE_INFER, NULL, m };
    return none("there is no such page of the model");
}

struct target route_find(struct server *s, const char *path)
{
    static const char models[] = "/v2/models/";
    size_t length;

    for (size_t k = 0; k < sizeof paths / sizeof *paths; k++)
        if (strcmp(paths[k].path, path) == 0)
            return (struct target){ paths[k].route, NULL, NULL };
    if (strncmp(path, models, strlen(models)) != 0)
        return none("there is no such page");
    path += strlen(models);
    length = strcspn(path, "/");
    for (size_t k = 0; k < s->count; k++)
        if (strlen(s->models[k].name) == length && memcmp(s->models[k].name, path, length) == 0)
            return find_of_model(&s->models[k], path + length);
    return none("there is no such model");
}

static bool takes_post(enum route route)
{
    return route == ROUTE_INFER || route == ROUTE_INDEX;
}

const char *route_methods(enum route route)
{
    return takes_post(route) ? "POST" : "GET, HEAD";
}

bool route_takes(enum route route, const char *method)
{
    return takes_post(route) ? strcmp(method, "POST") == 0 : strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

/* -- answers -- */

void reply_error(struct reply *r, unsigned code, const char *message)
{
    page_free(&r->page);
    r->code = code;
    r->json = 0;
    r->type = "application/json";
    about_error(&r->page, message);
}

/* Every answer has a word of its own, which the page's script and style know. */
static void put_page(struct reply *r)
{
    static const char mark[] = "{nonce}";
    const char *at = (const char *)serve_page, *const end = at + serve_page_size, *next;
    uint64_t random = 0;
    char nonce[20];

    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
        reply_error(r, 500, "there are no random numbers");
        return;
    }
    snprintf(nonce, sizeof nonce, "%016llx", (unsigned long long)random);
    for (; (next = memmem(at, (size_t)(end - at), mark, strlen(mark))); at = next + strlen(mark)) {
        page_add(&r->page, at, (size_t)(next - at));
        page_add(&r->page, nonce, strlen(nonce));
    }
    page_add(&r->page, at, (size_t)(end - at));
    r->type = "text/html; charset=utf-8";
    snprintf(r->policy, sizeof r->policy,
             "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src blob:; "
             "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
             nonce, nonce);
}

static void put_metrics(struct server *s, struct reply *r)
{
    struct metrics_of *of = calloc(s->count + 1, sizeof *of);

    if (!of) {
        reply_error(r, 503, "there is no memory for the answer");
        return;
    }
    of[0] = (struct metrics_of){ "", &s->metrics.others };
    for (size_t k = 0; k < s->count; k++)
        of[k + 1] = (struct metrics_of){ s->models[k].name, &s->models[k].metrics };
    metrics_write(&r->page, &s->metrics, of, s->count + 1, &s->command, atomic_load(&s->account.held));
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    free(of);
}

void route_answer(struct server *s, const struct target *t, struct reply *r)
{
    const bool ready = !atomic_load(&s->stopping);

    r->code = 200;
    r->type = "application/json";
    switch (t->route) {
    case ROUTE_PAGE:
        put_page(r);
        break;
    case ROUTE_MODELS:
        about_page(&r->page, s->models, s->count);
        break;
    case ROUTE_METRICS:
        put_metrics(s, r);
        break;
    case ROUTE_SERVER:
        about_server(&r->page);
        break;
    case ROUTE_LIVE:
        about_state(&r->page, NULL, "live", true);
        break;
    case ROUTE_READY:
        r->code = ready ? 200 : 503;
        about_state(&r->page, NULL, "ready", ready);
        break;
    case ROUTE_INDEX:
        about_index(&r->page, s->models, s->count);
        break;
    case ROUTE_MODEL:
        about_model(&r->page, t->model);
        break;
    case ROUTE_MODEL_READY:
        r->code = ready ? 200 : 503;
        about_state(&r->page, t->model->name, "ready", ready);
        break;
    default:
        reply_error(r, 404, t->why);
    }
}
