/* What is counted, and told in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). */
#ifndef KILN_SERVE_METRICS_H
#define KILN_SERVE_METRICS_H

#include "tools.h"
#include <stdatomic.h>

enum { METRIC_CODES = 16, METRIC_BOUNDS = 16 };

/* Bounds of a histogram, ascending; the last one is 0. */
extern const double metric_seconds[], metric_rows[];

struct histogram {
    _Atomic uint64_t bucket[METRIC_BOUNDS + 1]; /* not summed up; the last one is of what is above all bounds */
    _Atomic uint64_t millionths;                /* of their sum */
};

/* Of one model, or of requests that are of none. */
struct model_metrics {
    _Atomic uint64_t requests[METRIC_CODES]; /* by the place of their code */
    struct histogram seconds;                /* of a request, until it is answered */
    struct histogram run_seconds, rows;      /* of a run of the model; rows that it had */
    _Atomic int64_t waiting;                 /* requests in the queue */
};

struct metrics {
    struct model_metrics others;
    _Atomic int64_t requests, connections; /* that there are now */
    _Atomic uint64_t received, sent;       /* bytes of bodies */
};

void histogram_add(struct histogram *h, const double *bounds, double x);
/* A request is answered. */
void metrics_answered(struct model_metrics *m, unsigned code, double seconds);

/* One of those that are told. */
struct metrics_of {
    const char *model; /* "" for requests that are of none */
    const struct model_metrics *metrics;
};
void metrics_write(struct page *to, const struct metrics *m, const struct metrics_of *models, size_t count,
                   const struct command *c, size_t held);

#endif
