/* Whole files: read with a bound, written whole or not at all. */
#ifndef KILN_MODEL_FILE_H
#define KILN_MODEL_FILE_H

#include "base/memory.h"

/* Opens a regular file (through symbolic links; nothing that blocks, such as a FIFO, is opened for long) of at most
 * `most` bytes, 0 being no bound, for reading. The caller closes what it returns; -1 on failure. */
int file_open(const char *path, size_t most, size_t *size, struct report *r);

/* Reads all of such a file. *bytes is freed with budget_free; it is not NULL, even where *size is 0. */
bool file_read(const char *path, size_t most, uint8_t **bytes, size_t *size, struct budget *b, struct report *r);

/* Exactly `size` bytes from `offset` of an open file; `name` is for messages. */
bool file_read_at(int fd, const char *name, void *bytes, size_t size, int64_t offset, struct report *r);

/* Replaces `path`, or makes it: written under another name in the same directory (under none, where the system can),
 * synced, renamed. A file that is there keeps its permissions, and is untouched unless all went well. A symbolic link
 * stays, and what it leads to is replaced; one that leads nowhere, and anything but a regular file, is refused. */
bool file_write(const char *path, const void *bytes, size_t size, struct report *r);

/* Could it be written now? Leaves nothing behind: for whoever wants to know before hours of work. */
bool file_can_write(const char *path, struct report *r);

#endif
