/* saved PATH...: every model below those paths is opened, saved and opened again: both must have equal messages, field
 * by field, and what was built from the one must be built from the other. A line for each, then "N passed, N failed, N
 * skipped". */
#include "model/message.h"
#include "model/model.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT = 4096 };

static char copy[64];
static int passed, failures;

/* Can it be built? A model that cannot, for want of an operator, is saved all the same. */
static bool builds(struct model *m)
{
    struct report quiet = { 0 };

    return model_build(m, &quiet);
}

static bool same(const char *path, struct report *r)
{
    const struct model_options o = { .limits = SCAN_LIMITS_INIT };
    struct model *m = model_read(path, &o, r), *again = NULL;
    bool ok = m && model_save(m, copy, r) && (again = model_read(copy, &o, r));

    if (ok && !message_equal(m->proto, again->proto))
        ok = fail(r, KILN_MISMATCH, NULL, "what was saved differs from what was opened");
    if (ok && builds(m) != builds(again))
        ok = fail(r, KILN_MISMATCH, NULL, "only one of the two can be built");
    model_free(m);
    model_free(again);
    return ok;
}

static void judge(const char *path)
{
    struct report r = { 0 };

    if (same(path, &r)) {
        passed++;
        printf("PASS %s\n", path);
    } else {
        failures++;
        printf("FAIL %s %s: %s\n", path, r.error.where, r.error.message);
    }
}

/* Nesting is bounded: as deep as a path is long. */
static void visit(const char *path)
{
    const size_t n = strlen(path);
    struct dirent *e;
    struct stat s;
    DIR *d;

    if (stat(path, &s) == 0 && S_ISREG(s.st_mode) && n > 5 && strcmp(path + n - 5, ".onnx") == 0)
        judge(path);
    d = opendir(path);
    while (d && (e = readdir(d))) {
        char child[PATH_TEXT];

        if (e->d_name[0] != '.' && snprintf(child, sizeof child, "%s/%s", path, e->d_name) < (int)sizeof child)
            visit(child);
    }
    if (d)
        closedir(d);
}

int main(int argc, char **argv)
{
    /* in memory where that can be had: each save waits until the disk has it */
    static const char *const folders[] = { "/dev/shm", "/tmp" };
    int fd = -1;

    for (int k = 0; k < 2 && fd < 0; k++) {
        snprintf(copy, sizeof copy, "%s/kiln-saved-XXXXXX.onnx", folders[k]);
        fd = mkstemps(copy, 5);
    }
    if (fd < 0) {
        perror(copy);
        return EXIT_FAILURE;
    }
    close(fd);
    for (int k = 1; k < argc; k++)
        visit(argv[k]);
    unlink(copy);
    if (!passed)
        failures++;
    printf("%d passed, %d failed, 0 skipped\n", passed, failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
