#include "data/batch.h"
#include "data/npy.h"
#include "data/stream.h"
#include "try.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEMORY = 32 << 20, BATCH_BYTES = 1 << 20 };

/* -- files, below a directory that is made once -- */

static char directory[64];

static void remove_files(void)
{
    static const char *const names[] = { "a", "b", "test.bin", "test_batch.bin", "c/1.png" };
    char path[128];

    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[k]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/c", directory);
    rmdir(path);
    rmdir(directory);
}

static bool put(const char *name, const uint8_t *bytes, size_t size)
{
    char path[128];
    int fd;
    bool ok;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ok = fd >= 0 && write(fd, bytes, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return ok;
}

static void make_directory(void)
{
    const char *where = getenv("TMPDIR");
    char folder[80];

    if (*directory)
        return;
    snprintf(directory, sizeof directory, "%.40s/kiln-fuzz-XXXXXX", where ? where : "/tmp");
    if (!mkdtemp(directory))
        abort();
    snprintf(folder, sizeof folder, "%s/c", directory);
    if (mkdir(folder, 0700))
        abort();
    atexit(remove_files);
}

/* -- records -- */

static uint32_t masked_crc32c(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t k = 0; k < n; k++) {
        crc ^= p[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static void little(uint8_t *to, uint64_t n, int bytes)
{
    for (int k = 0; k < bytes; k++)
        to[k] = (uint8_t)(n >> 8 * k);
}

/* Records with the check sums that nobody would hit upon: each begins with its length, in a byte. */
static bool put_records(const char *name, const uint8_t *bytes, size_t size)
{
    uint8_t *file = calloc(size + 1, 17 + 1), *at = file;
    bool ok = file;

    while (ok && size) {
        size_t n = try_take(&bytes, &size);

        n = n < size ? n : size;
        little(at, n, 8);
        little(at + 8, masked_crc32c(at, 8), 4);
        memcpy(at + 12, bytes, n);
        little(at + 12 + n, masked_crc32c(bytes, n), 4);
        at += 16 + n;
        bytes += n;
        size -= n;
    }
    ok = ok && put(name, file, (size_t)(at - file));
    free(file);
    return ok;
}

/* -- formats -- */

static const struct {
    const char *kind, *path, *second; /* the SPEC, with the directory before the paths */
    const char *name;                 /* of the (first) file */
    enum part part;
} formats[] = {
    { "npz:", "/a", NULL, "a", PART_TRAIN },
    { "npz:", "/a", NULL, "a", PART_TEST },
    { "csv:", "/a", NULL, "a", PART_TRAIN },
    { "idx:", "/a", "/b", "a", PART_TRAIN }, /* the length of the first file comes before both */
    { "cifar10:", "", NULL, "test_batch.bin", PART_TEST },
    { "cifar100:", "", NULL, "test.bin", PART_TEST },
    { NULL, NULL, NULL, NULL, PART_TRAIN }, /* NPY, from memory */
    { "npy:", "/a", "/b", "a", PART_TRAIN },
    { "folder:", "", NULL, "c/1.png", PART_TRAIN }, /* whatever its name: JPEG as well */
    { "tfrecord:", "/a", NULL, "a", PART_TRAIN },
};
enum { NPY = 6, TFRECORD = 9, FORMATS = sizeof formats / sizeof *formats };

static void read_npy(const uint8_t *bytes, size_t size, struct budget *b)
{
    struct memory_source source;
    struct report r = { 0 };
    struct tensor t, again = { 0 };
    struct text out = { .budget = b, .report = &r };

    memory_source(&source, "npy", bytes, size);
    if (!npy_read(&t, &source.source, NULL, b, &r))
        return;
    if (npy_write(&t, "npy", &out, &r)) {
        memory_source(&source, "npy", out.data, out.length);
        if (npy_read(&again, &source.source, NULL, b, &r))
            try_expect(same_type(&t, &again) && !memcmp(t.data, again.data, (size_t)tensor_bytes(&t)),
                       "an array is read as it was written");
        try_expect(again.data || r.error.code == KILN_LIMIT, "an array that is written can be read");
    }
    budget_free(b, again.data);
    budget_free(b, t.data);
    text_release(&out);
}

static void batch(const struct dataset *d, const struct normalizer *n, unsigned options, struct budget *b)
{
    const struct batch_options o = { .batch = 1 + (options & 3), .shuffle = options & 4, .seed = options };
    struct tensor x = { .dtype = F32, .rank = UNKNOWN }, y = { .dtype = options & 8 ? F32 : I64, .rank = UNKNOWN };
    struct report r = { 0 };
    struct batches batches;
    const struct column_request input = { .type = &x }, target = { .type = &y };
    const struct batch_request q = { .inputs = 1, .input = &input, .targets = 1, .target = &target };
    void *room[2] = { NULL, NULL };
    int64_t count = 1;

    if (!column_has_labels(d->y))
        y.dtype = F32;
    if (!batches_init(&batches, d, n, &q, &o, b, &r))
        return;
    if (tensor_bytes(&batches.x->type) <= BATCH_BYTES && tensor_bytes(&batches.y->type) <= BATCH_BYTES) {
        room[0] = budget_alloc(b, (size_t)tensor_bytes(&batches.x->type), &r);
        room[1] = budget_alloc(b, (size_t)tensor_bytes(&batches.y->type), &r);
    }
    batches_start(&batches, 1);
    for (int k = 0; room[0] && room[1] && k < 4 && count; k++)
        if (!batches_next(&batches, &room[0], &room[1], &count, &r))
            break;
    budget_free(b, room[0]);
    budget_free(b, room[1]);
    batches_release(&batches);
}

static bool same_values(const struct column *a, int64_t i, const struct column *b, int64_t j, int64_t n)
{
    const int64_t bytes = row_bytes(&a->values);

    return bytes == row_bytes(&b->values) &&
           memcmp((char *)a->values.data + i * bytes, (char *)b->values.data + j * bytes, (size_t)(n * bytes)) == 0;
}

/* What is in memory is the same as a stream, unless that needs more memory, or cannot be one. */
static void stream(const struct dataset *all, const char *spec, enum part part, const struct data_options *options,
                   struct budget *b)
{
    struct data_options o = *options;
    struct report r = { 0 };
    int64_t at = all->from;
    struct dataset d;
    struct walk w;

    o.window = 3;
    if (dataset_open(&d, spec, part, &o, b, &r)) {
        try_expect(d.from == all->from && d.count == all->count && d.y->classes == all->y->classes,
                   "a stream has the samples and classes that are in memory");
        if (walk_begin(&w, &d, b, &r)) {
            while (walk_next(&w, &r) && w.count) {
                try_expect(same_values(all->x, at, w.x, w.from, w.count) &&
                               same_values(all->y, at, w.y, w.from, w.count),
                           "a stream gives what is in memory");
                at += w.count;
            }
            try_expect(failed(&r) || at == all->from + all->count, "a stream ends where the data do");
            walk_end(&w);
        }
        dataset_release(&d);
    }
    try_expect(!failed(&r) || r.error.code == KILN_LIMIT || r.error.code == KILN_UNSUPPORTED,
               "what is in memory can be a stream");
}

void try_data(const uint8_t *bytes, size_t size)
{
    const unsigned format = try_take(&bytes, &size) % FORMATS, options = try_take(&bytes, &size);
    const struct column_request target = { .classes = options >> 5 & 1 ? 10 : 0, .values = options >> 6 & 1 };
    const struct data_options o = { .limit = options >> 4 & 1 ? 3 : 0, .targets = 1, .target = &target };
    struct budget b = { .limit = MEMORY };
    struct report r = { 0 };
    struct normalizer n;
    struct dataset d;
    char spec[256];
    size_t first;
    int n_spec;

    if (format == NPY) {
        read_npy(bytes, size, &b);
        try_nothing_left(&b);
        return;
    }
    make_directory();
    first = size;
    if (formats[format].second) {
        first = try_take(&bytes, &size) << 8;
        first |= try_take(&bytes, &size);
        first = first < size ? first : size;
        if (!put("b", bytes + first, size - first))
            return;
    }
    if (!(format == TFRECORD && options & 0x80 ? put_records : put)(formats[format].name, bytes, first))
        return;
    n_spec = snprintf(spec, sizeof spec, "%s%s%s", formats[format].kind, directory, formats[format].path);
    if (formats[format].second)
        snprintf(spec + n_spec, sizeof spec - (size_t)n_spec, ",%s%s", directory, formats[format].second);
    if (dataset_open(&d, spec, formats[format].part, &o, &b, &r)) {
        if (normalizer_fit(&n, (enum normalization)(options >> 7 ? NORMALIZE_STANDARDIZE : options & 3), &d, &b, &r)) {
            batch(&d, &n, options, &b);
            normalizer_release(&n);
        }
        stream(&d, spec, formats[format].part, &o, &b);
        dataset_release(&d);
    }
    try_nothing_left(&b);
}
