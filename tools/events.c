#include "events.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { FLOAT = 1, DOUBLE = 2, SCALAR = 1, TENSOR = 2 }; /* of the messages */

/* -- records -- */

/* CRC-32C (Castagnoli), bit by bit: what is written in an epoch is small. */
static uint32_t crc_of(const void *bytes, size_t count)
{
    const unsigned char *p = bytes;
    uint32_t crc = ~UINT32_C(0);

    for (size_t k = 0; k < count; k++) {
        crc ^= p[k];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0x82f63b78) : 0);
    }
    return ~crc;
}

/* So that a checksum of what holds checksums is none of them. */
static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + UINT32_C(0xa282ead8);
}

static void add_number(struct page *out, uint64_t n, size_t bytes)
{
    for (size_t k = 0; k < bytes; k++) {
        const char byte = (char)(n >> 8 * k);

        page_add(out, &byte, 1);
    }
}

/* Length, its checksum, the bytes, theirs. */
static void add_record(struct page *out, const void *bytes, size_t count)
{
    const size_t at = out->length;

    add_number(out, count, 8);
    if (!out->failed)
        add_number(out, masked(crc_of(out->text + at, 8)), 4);
    page_add(out, bytes, count);
    add_number(out, masked(crc_of(bytes, count)), 4);
}

static void add_event(struct events *e, Board__Event *event)
{
    struct timespec now;
    uint8_t *bytes;

    clock_gettime(CLOCK_REALTIME, &now);
    event->wall_time = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    bytes = malloc(board__event__get_packed_size(event));
    if (bytes)
        add_record(&e->pending, bytes, board__event__pack(event, bytes));
    else
        e->pending.failed = true;
    free(bytes);
}

/* -- files -- */

const char *events_claim(const char *directory, struct command *c)
{
    char host[64] = "", *path;

    gethostname(host, sizeof host - 1);
    if (asprintf(&path, "%s/events.out.tfevents.%lld.%s.%d.0.v2", directory, (long long)time(NULL),
                 *host ? host : "localhost", (int)getpid()) < 0) {
        command_no_memory(c);
        return NULL;
    }
    return kiln_file_claim(c->context, path, KILN_FILE_LOG, &c->err) == KILN_OK ? path : NULL;
}

bool events_open(struct events *e, const char *path, struct command *c)
{
    Board__Event first = BOARD__EVENT__INIT;
    char version[] = "brain.Event:2";

    *e = (struct events){ .command = c, .path = path };
    if (kiln_file_open_log(&e->file, c->context, path, &c->err) != KILN_OK)
        return false;
    setvbuf(e->file, NULL, _IONBF, 0); /* what is flushed is one write */
    first.what_case = BOARD__EVENT__WHAT_FILE_VERSION;
    first.file_version = version;
    add_event(e, &first);
    return events_flush(e);
}

bool events_flush(struct events *e)
{
    struct page *p = &e->pending;
    bool ok = !p->failed;

    if (!e->file || (ok && !p->length))
        return true;
    if (!ok)
        command_no_memory(e->command);
    else if (fwrite(p->text, 1, p->length, e->file) == p->length)
        e->written += (int64_t)p->length;
    else
        ok = command_fail(e->command, KILN_IO, e->path, "cannot be written: %s", strerror(errno));
    if (!ok && ftruncate(fileno(e->file), (off_t)e->written))
        clearerr(e->file); /* readers leave out what is no whole record */
    page_free(p);
    return ok;
}

bool events_close(struct events *e)
{
    const bool ok = events_flush(e);
    FILE *f = e->file;

    e->file = NULL;
    return (!f || fclose(f) == 0 || command_fail_system(e->command, e->path)) && ok;
}

/* -- events -- */

static void add_tensor(struct events *e, struct tag name, int64_t step, Board__Tensor *tensor, const char *plugin,
                       int32_t class)
{
    Board__Summary__Metadata__PluginData data;
    Board__Summary__Metadata metadata = BOARD__SUMMARY__METADATA__INIT;
    Board__Summary__Value value, *values = &value;
    Board__Summary summary = BOARD__SUMMARY__INIT;
    Board__Event event = BOARD__EVENT__INIT;
    struct page tag = { 0 };

    page_say(&tag, "%s%s%s", name.before, name.name, name.after);
    board__summary__metadata__plugin_data__init(&data);
    board__summary__value__init(&value);
    data.plugin_name = (char *)(uintptr_t)plugin;
    metadata.plugin_data = &data;
    metadata.data_class = class;
    value.tag = tag.text;
    value.tensor = tensor;
    value.metadata = &metadata;
    summary.n_value = 1;
    summary.value = &values;
    event.step = step;
    event.what_case = BOARD__EVENT__WHAT_SUMMARY;
    event.summary = &summary;
    if (tag.failed)
        e->pending.failed = true;
    else if (e->file)
        add_event(e, &event);
    page_free(&tag);
}

void events_scalar(struct events *e, struct tag name, int64_t step, double value)
{
    float number = (float)value;
    Board__Shape shape = BOARD__SHAPE__INIT;
    Board__Tensor tensor = BOARD__TENSOR__INIT;

    tensor.dtype = FLOAT;
    tensor.shape = &shape;
    tensor.n_float_val = 1;
    tensor.float_val = &number;
    add_tensor(e, name, step, &tensor, "scalars", SCALAR);
}

void events_histogram(struct events *e, struct tag name, int64_t step, const struct histogram *h)
{
    Board__Shape__Dim rows = BOARD__SHAPE__DIM__INIT, columns = BOARD__SHAPE__DIM__INIT, *dims[] = { &rows, &columns };
    Board__Shape shape = BOARD__SHAPE__INIT;
    Board__Tensor tensor = BOARD__TENSOR__INIT;
    double values[BUCKETS * 3];

    memcpy(values, h->row, sizeof values);
    rows.size = BUCKETS;
    columns.size = 3;
    shape.n_dim = 2;
    shape.dim = dims;
    tensor.dtype = DOUBLE;
    tensor.shape = &shape;
    tensor.n_double_val = BUCKETS * 3;
    tensor.double_val = values;
    add_tensor(e, name, step, &tensor, "histograms", TENSOR);
}

void events_graph(struct events *e, const Board__GraphDef *graph)
{
    const size_t size = board__graph_def__get_packed_size(graph);
    uint8_t *bytes = malloc(size + 1);
    Board__Event event = BOARD__EVENT__INIT;

    if (bytes && e->file) {
        board__graph_def__pack(graph, bytes);
        event.what_case = BOARD__EVENT__WHAT_GRAPH_DEF;
        event.graph_def = (ProtobufCBinaryData){ size, bytes };
        add_event(e, &event);
    }
    e->pending.failed |= !bytes;
    free(bytes);
}

/* -- histograms -- */

void histogram_of(struct histogram *h, const kiln_tensor *t)
{
    const int64_t count = kiln_tensor_count(t);
    double low = INFINITY, high = -INFINITY;

    *h = (struct histogram){ 0 };
    for (int64_t k = 0; k < count; k++) {
        const double x = kiln_tensor_number(t, k);

        low = isfinite(x) && x < low ? x : low;
        high = isfinite(x) && x > high ? x : high;
    }
    if (!(low <= high))
        return;
    for (int b = 0; b < BUCKETS; b++) {
        h->row[b][0] = low + (high - low) * b / BUCKETS;
        h->row[b][1] = b + 1 < BUCKETS ? low + (high - low) * (b + 1) / BUCKETS : high;
    }
    for (int64_t k = 0; k < count; k++) { /* the last one has its right end, and all where they are equal */
        const double x = kiln_tensor_number(t, k), b = high > low ? floor((x - low) / (high - low) * BUCKETS) : BUCKETS;

        if (isfinite(x))
            h->row[b < BUCKETS ? (int)b : BUCKETS - 1][2]++;
    }
}
