#include "tools.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct verb *const verbs[] = {
    &verb_inspect, &verb_data,   &verb_run,     &verb_adapt, &verb_init, &verb_train, &verb_eval,
    &verb_predict, &verb_figure, &verb_convert, &verb_bench, &verb_ops,  &verb_test,
#if defined(HAVE_SERVE)
    &verb_serve,
#endif
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: kiln VERB [OPTION...]\n"
                "Load an ONNX model, run it, train it, write it back.\n\n");
    for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++)
        fprintf(to, "  %-9s %s\n", verbs[k]->name, verbs[k]->summary);
    fprintf(to, "\n`kiln VERB --help` tells the options of a verb.\n\n"
                "An export of any framework, trained here, then with a head for other classes:\n"
                "    kiln adapt export.onnx --calibrate npz:data.npz --output net.onnx\n"
                "    kiln train net.onnx --data npz:data.npz --epochs 5 --output trained.onnx\n"
                "    kiln adapt trained.onnx --classes 5 --freeze-backbone --output head.onnx\n"
                "    kiln train head.onnx --data npz:mine.npz --epochs 5 --output mine.onnx\n"
                "    kiln eval mine.onnx --data npz:mine.npz\n");
}

/* What was printed may still fail to be written: a full disk, a closed pipe. */
static int finish(int code)
{
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "kiln: standard output: %s\n", strerror(errno));
        return code ? code : -KILN_IO;
    }
    return code || said_all() ? code : -KILN_NO_MEMORY;
}

int main(int argc, char **argv)
{
    char name[64];

    signal(SIGXFSZ, SIG_IGN); /* a file that may not be longer is an error like a full disk */
    if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
        printf("kiln %s\n", kiln_version());
        return finish(0);
    }
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        usage(argc < 2 ? stderr : stdout);
        return finish(argc < 2 ? EXIT_USAGE : 0);
    }
    for (size_t k = 0; k < sizeof verbs / sizeof *verbs; k++)
        if (strcmp(verbs[k]->name, argv[1]) == 0) {
            snprintf(name, sizeof name, "kiln %s", verbs[k]->name);
            argv[1] = name;
            return finish(verbs[k]->run(argc - 1, argv + 1));
        }
    say_to(stderr, "kiln: '%s' is no verb; `kiln --help` lists them\n", argv[1]);
    return EXIT_USAGE;
}
