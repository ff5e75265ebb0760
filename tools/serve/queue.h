/* Requests that wait for a model, and the thread that runs it. */
#ifndef KILN_SERVE_QUEUE_H
#define KILN_SERVE_QUEUE_H

#include "kiln.h"
#include <pthread.h>
#include <stdatomic.h>

struct served;

/* An output that is asked for. */
struct asked {
    size_t output;   /* place in served.output */
    bool binary;     /* behind the JSON, else in it */
    int64_t classes; /* the so many largest, as Triton's classification has it; 0: the values */
};

enum { JOB_MESSAGE = 700 };

/* One run that a client asked for. */
struct job {
    struct served *model;
    char *id;             /* NULL: none */
    size_t count;         /* of inputs that are given: */
    const char **names;   /* [count] the model's, those that must be given first and in its order */
    kiln_tensor **inputs; /* [count] */
    int64_t rows;         /* that may run together with others; 0: it runs alone */
    size_t asked_count;
    struct asked *asked;
    kiln_tensor **outputs; /* [asked_count] */
    double start;          /* when it came */
    unsigned code;         /* of HTTP; 200 where there are outputs */
    char message[JOB_MESSAGE];
    void (*done)(struct job *job, void *user); /* called by the worker */
    void *user;
    struct job *next;
};

void job_free(struct job *job);
/* Always false. */
bool job_fail(struct job *job, unsigned code, const char *format, ...) __attribute__((format(printf, 3, 4)));

struct queue_options {
    int64_t max_batch; /* rows that run together */
    double delay;      /* seconds that a job waits for others to join it */
    double seconds;    /* that it may wait in all; 0: any */
    int64_t most;      /* jobs that wait */
};

struct queue {
    const struct queue_options *options;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct job *first, *last;
    _Atomic bool closed;
    bool running; /* there is a thread */
    pthread_t worker;
};

/* Starts the worker of a model. */
bool queue_start(struct served *m, const struct queue_options *options);
/* Hands a job over: from here on it is the worker's, until job->done. False where too many wait, or it is closed; the
 * job says so. */
bool queue_put(struct served *m, struct job *job);
/* Jobs that wait are failed, and the worker ends with the one that runs. */
void queue_stop(struct served *m);

#endif
