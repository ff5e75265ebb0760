#include "tools.h"
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void usage(FILE *to)
{
    fprintf(to, "Usage: kiln VERB [OPTION...]\n%c%s.\n\n", toupper(*kiln_purpose), kiln_purpose + 1);
    for (const struct verb *const *verb = verbs; *verb; verb++)
        fprintf(to, "  %-9s %s\n", (*verb)->name, (*verb)->summary);
    fprintf(to, "\n`kiln VERB --help` tells the options of a verb.\n\n%s", kiln_examples);
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
    for (const struct verb *const *verb = verbs; *verb; verb++)
        if (strcmp((*verb)->name, argv[1]) == 0) {
            snprintf(name, sizeof name, "kiln %s", (*verb)->name);
            argv[1] = name;
            return finish((*verb)->run(argc - 1, argv + 1));
        }
    say_to(stderr, "kiln: '%s' is no verb; `kiln --help` lists them\n", argv[1]);
    return EXIT_USAGE;
}
