/* Whole files: read with a bound, written whole or not at all. */
#ifndef KILN_MODEL_FILE_H
#define KILN_MODEL_FILE_H

#include <stdio.h>

#include "base/memory.h"
#include "model/files.h"

/* Opens a regular file (through symbolic links; nothing that blocks, such as a FIFO, is opened for long) of at most
 * `most` bytes, 0 being no bound, for reading: FILE_READ, or FILE_READ_MODEL. The caller closes what it returns; -1 on
 * failure. */
int file_open(const char *path, enum file_use use, size_t most, size_t *size, struct report *r);

/* Could such a file be read, and may it be? */
bool file_look(const char *path, struct report *r);

/* Reads all of such a file. *bytes is freed with budget_free; it is not NULL, even where *size is 0. */
bool file_read(const char *path, size_t most, uint8_t **bytes, size_t *size, struct budget *b, struct report *r);

/* Exactly `size` bytes from `offset` of an open file; `name` is for messages. */
bool file_read_at(int fd, const char *name, void *bytes, size_t size, int64_t offset, struct report *r);

/* Replaces `path`, or makes it: written without a name where the system can, else under another one in the same
 * directory, locked, synced, renamed. A file that is there keeps its permissions, and is untouched unless all went
 * well. What a process that was killed left of writing to `path` is removed. A symbolic link stays, and what it leads
 * to is replaced; one that leads nowhere, and anything but a regular file, is refused. */
bool file_write(const char *path, const void *bytes, size_t size, struct report *r);
/* The same for a model, which may be written over the file that it was read from. */
bool file_write_model(const char *path, const void *bytes, size_t size, struct report *r);

/* The same, from pieces that are put one after the other: nothing is written unless all of them could be. */
struct file_sink;
typedef bool file_produce(void *user, struct file_sink *to);
bool file_produce_model(const char *path, file_produce *produce, void *user, struct report *r);
bool file_put(struct file_sink *to, const void *bytes, size_t size);

/* Before hours of work: could `path` be written now, and is it neither read nor another output? Leaves nothing
 * behind. */
bool file_claim(const char *path, enum file_use use, struct report *r);

/* Opens a log that is written while the work goes on: a file that is there is emptied. The caller closes it; NULL on
 * failure, which leaves the file as it was. */
FILE *file_open_log(const char *path, struct report *r);

#endif
