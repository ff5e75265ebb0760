#include "stop.h"
#include <signal.h>

static const struct {
    int signal;
    const char *name;
} signals[] = { { SIGINT, "SIGINT" }, { SIGTERM, "SIGTERM" }, { SIGHUP, "SIGHUP" } };
enum { SIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[SIGNALS];
static kiln_context *watched; /* set while no handler can run */
static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
    kiln_context_cancel(watched);
}

void stop_watch(kiln_context *context)
{
    struct sigaction a = { .sa_handler = on_signal, .sa_flags = SA_RESETHAND | SA_RESTART };

    watched = context;
    sigemptyset(&a.sa_mask);
    for (int k = 0; k < SIGNALS; k++) {
        sigaction(signals[k].signal, NULL, &before[k]);
        if (before[k].sa_handler != SIG_IGN)
            sigaction(signals[k].signal, &a, NULL);
    }
}

int stop_caught(void)
{
    for (int k = 0; watched && k < SIGNALS; k++)
        sigaction(signals[k].signal, &before[k], NULL);
    if (caught)
        kiln_context_resume(watched);
    watched = NULL;
    return caught;
}

const char *stop_name(int signal)
{
    for (int k = 0; k < SIGNALS; k++)
        if (signals[k].signal == signal)
            return signals[k].name;
    return "a signal";
}
