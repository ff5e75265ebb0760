/* The way along a path to the file it leads to. It is gone once, from directory to directory, each held open: what has
 * been looked at is what is opened, whatever is renamed or linked meanwhile. No place is told by the text of a path. */
#ifndef KILN_MODEL_WAY_H
#define KILN_MODEL_WAY_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct way {
    int directory;           /* that the file lies in; to be closed */
    int links;               /* symbolic ones that led there */
    char name[NAME_MAX + 1]; /* of the file in that directory: no link, when it was met; "." where the path is one of a
                                directory */
    char left[PATH_MAX];     /* while it is gone: what is still to go */
};

/* A directory that can be gone on from, and looked at, but not read; -1 with errno. `from` may be AT_FDCWD. */
int way_directory(int from, const char *name);
/* False, with errno and nothing to close, where it leads nowhere. */
bool way_find(struct way *w, int from, const char *path);
/* Is this directory `above`, or does it lie below it? Told by what they are, whichever names led to them. */
bool way_is_below(int directory, int above);

static inline bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

#endif
