/* Writes the pages kiln.1 and kiln-VERB.1, and the completions kiln (bash) and _kiln (zsh), into a folder.
 * Usage: man FOLDER VERSION DATE BASH-SCRIPT ZSH-SCRIPT */
#include "man.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static FILE *start(const char *name)
{
    char path[4096];
    FILE *f;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) >= sizeof path || !(f = fopen(path, "w"))) {
        fprintf(stderr, "%s/%s: %s\n", folder, name, strerror(errno));
        exit(1);
    }
    return f;
}

static void end(FILE *f, const char *name)
{
    const bool failed = ferror(f);

    if (fclose(f) || failed) {
        fprintf(stderr, "%s/%s cannot be written\n", folder, name);
        exit(1);
    }
}

static void page(const struct verb *verb, const char *version, const char *date)
{
    struct page made = { 0 };
    char name[80];
    FILE *f;

    snprintf(name, sizeof name, verb ? "kiln-%s.1" : "kiln.1", verb ? verb->name : "");
    f = start(name);
    write_page(&made, verb, version, date);
    if (made.failed)
        exit(-KILN_NO_MEMORY);
    fwrite(made.text, 1, made.length, f);
    page_free(&made);
    end(f, name);
}

static void completion(const char *name, bool (*write)(FILE *to, const char *script), const char *script)
{
    FILE *f = start(name);

    if (!write(f, script)) {
        fprintf(stderr, "%s: %s\n", script, errno ? strerror(errno) : "has no line \"# TABLES\"");
        exit(1);
    }
    end(f, name);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return EXIT_USAGE;
    folder = argv[1];
    page(NULL, argv[2], argv[3]);
    for (const struct verb *const *verb = verbs; *verb; verb++)
        page(*verb, argv[2], argv[3]);
    completion("kiln", write_bash, argv[4]);
    completion("_kiln", write_zsh, argv[5]);
    return 0;
}
