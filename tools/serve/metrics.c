#include "serve/metrics.h"
#include <inttypes.h>

const double metric_seconds[] = { .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 0 };
const double metric_rows[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 0 };

static const unsigned codes[METRIC_CODES] = { 200, 400, 404, 405, 413, 415, 500, 503, 504 }; /* 0: another */

void histogram_add(struct histogram *h, const double *bounds, double x)
{
    size_t k = 0;

    while (bounds[k] > 0 && x > bounds[k])
        k++;
    atomic_fetch_add(&h->bucket[k], 1);
    atomic_fetch_add(&h->millionths, (uint64_t)(x * 1e6));
}

void metrics_answered(struct model_metrics *m, unsigned code, double seconds)
{
    size_t k = 0;

    while (codes[k] && codes[k] != code)
        k++;
    atomic_fetch_add(&m->requests[k], 1);
    histogram_add(&m->seconds, metric_seconds, seconds);
}

/* -- as text -- */

static void head(struct page *to, const char *name, const char *type, const char *help)
{
    page_printf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void number(struct page *to, const char *name, const char *type, const char *help, double x)
{
    head(to, name, type, help);
    page_printf(to, "%s %.17g\n", name, x);
}

static void requests(struct page *to, const struct metrics_of *m)
{
    for (size_t k = 0; k < METRIC_CODES; k++) {
        const uint64_t n = atomic_load(&m->metrics->requests[k]);

        if (n && codes[k])
            page_printf(to, "kiln_requests_total{model=\"%s\",code=\"%u\"} %" PRIu64 "\n", m->model, codes[k], n);
        else if (n)
            page_printf(to, "kiln_requests_total{model=\"%s\",code=\"other\"} %" PRIu64 "\n", m->model, n);
    }
}

static void histogram(struct page *to, const char *name, const char *model, const struct histogram *h,
                      const double *bounds)
{
    uint64_t sum = 0;
    size_t k;

    for (k = 0; bounds[k] > 0; k++) {
        sum += atomic_load(&h->bucket[k]);
        page_printf(to, "%s_bucket{model=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, model, bounds[k], sum);
    }
    sum += atomic_load(&h->bucket[k]);
    page_printf(to, "%s_bucket{model=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, model, sum);
    page_printf(to, "%s_sum{model=\"%s\"} %.6f\n", name, model, (double)atomic_load(&h->millionths) * 1e-6);
    page_printf(to, "%s_count{model=\"%s\"} %" PRIu64 "\n", name, model, sum);
}

/* models[0] is no model. */
static void by_model(struct page *to, const struct metrics_of *models, size_t count)
{
    head(to, "kiln_requests_total", "counter", "Requests that were answered, by model (none: \"\") and HTTP status.");
    for (size_t k = 0; k < count; k++)
        requests(to, &models[k]);
    head(to, "kiln_request_seconds", "histogram", "From a request's header to its answer.");
    for (size_t k = 0; k < count; k++)
        histogram(to, "kiln_request_seconds", models[k].model, &models[k].metrics->seconds, metric_seconds);
    head(to, "kiln_run_seconds", "histogram", "What a run of the model took.");
    for (size_t k = 1; k < count; k++)
        histogram(to, "kiln_run_seconds", models[k].model, &models[k].metrics->run_seconds, metric_seconds);
    head(to, "kiln_batch_rows", "histogram", "Rows of the first dimension that a run had.");
    for (size_t k = 1; k < count; k++)
        histogram(to, "kiln_batch_rows", models[k].model, &models[k].metrics->rows, metric_rows);
    head(to, "kiln_queue_length", "gauge", "Requests that wait for the model.");
    for (size_t k = 1; k < count; k++)
        page_printf(to, "kiln_queue_length{model=\"%s\"} %" PRId64 "\n", models[k].model,
                    atomic_load(&models[k].metrics->waiting));
}

void metrics_write(struct page *to, const struct metrics *m, const struct metrics_of *models, size_t count,
                   const struct command *c, size_t held)
{
    size_t most;
    const size_t memory = kiln_context_memory(c->context, &most);

    by_model(to, models, count);
    number(to, "kiln_requests_in_flight", "gauge", "Requests whose header is there, and whose answer is not sent.",
           (double)atomic_load(&m->requests));
    number(to, "kiln_connections", "gauge", "Connections that are open.", (double)atomic_load(&m->connections));
    number(to, "kiln_received_bytes_total", "counter", "Bytes of requests' bodies.", (double)atomic_load(&m->received));
    number(to, "kiln_sent_bytes_total", "counter", "Bytes of answers' bodies.", (double)atomic_load(&m->sent));
    number(to, "kiln_memory_bytes", "gauge", "Bytes of models, plans and values.", (double)memory);
    number(to, "kiln_memory_most_bytes", "gauge", "The most that these were.", (double)most);
    number(to, "kiln_held_bytes", "gauge", "Bytes of requests and answers.", (double)held);
    head(to, "kiln_build_info", "gauge", "The version.");
    page_printf(to, "kiln_build_info{version=\"%s\"} 1\n", kiln_version());
}
