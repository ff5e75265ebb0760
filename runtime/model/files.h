/* Which files one piece of work, such as a command, reads and writes. What something is read from is not written over,
 * and two outputs are not one file, whichever links lead there: files are told apart by device and inode, those that
 * are not there yet by directory and name. Whoever opens a file tells of it here; the report of the work leads here,
 * and where it does not, nothing is refused. */
#ifndef KILN_MODEL_FILES_H
#define KILN_MODEL_FILES_H

#include "base/map.h"
#include <sys/stat.h>

enum file_use {
    FILE_READ = 1,
    FILE_READ_MODEL = 2, /* all of it is in memory then: a model may be written over its own file */
    FILE_WRITE = 4,
    FILE_WRITE_MODEL = 8,
    FILE_WRITE_LOG = 16, /* while the work goes on; may be a pipe or a device, of which there is nothing to lose */
};

/* Zero-initialise. */
struct files {
    struct budget budget;
    struct arena arena;
    struct map known;
};
void files_release(struct files *f);

/* Where something is to be written. */
struct file_target {
    const char *path;      /* as it was given */
    bool exists;           /* then `file` tells of it */
    struct stat file;      /* links followed */
    struct stat directory; /* that it lies in, or will, */
    const char *name;      /* under this name */
};

/* All false, with an error, where the uses exclude each other. */
bool files_read(const struct stat *file, const char *path, enum file_use use, struct report *r);
/* Before the work: this will be an output, and no other may be the same file. */
bool files_claim(const struct file_target *t, enum file_use use, struct report *r);
/* When it is written; any number of times under one path. It need not have been claimed. */
bool files_write(const struct file_target *t, enum file_use use, struct report *r);
/* Is it read or written? */
bool files_know(const struct stat *file, struct report *r);
/* A new file, on its way to `path`: what was known by its inode is of one that has been deleted since. */
bool files_made(const struct stat *file, const char *path, enum file_use use, struct report *r);

#endif
