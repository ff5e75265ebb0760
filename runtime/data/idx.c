#include "data/idx.h"
#include "data/element.h"
#include "data/gz.h"

static bool read_header(struct gz *g, struct tensor *out, struct report *r)
{
    static const enum dtype types[] = {
        [0x08] = U8, [0x09] = I8, [0x0B] = I16, [0x0C] = I32, [0x0D] = F32, [0x0E] = F64
    };
    unsigned char magic[4], dim[4];
    int64_t dims[MAX_RANK];
    const int64_t most = g->most;
    enum dtype type;

    if (!gz_read(g, magic, sizeof magic, r))
        return false;
    type = magic[2] < sizeof types / sizeof *types ? types[magic[2]] : UNDEFINED;
    if (magic[0] || magic[1] || type == UNDEFINED || magic[3] < 1 || magic[3] > MAX_RANK)
        return fail(r, KILN_BAD_DATA, g->name, "not an IDX file: it starts with %02x %02x %02x %02x", magic[0],
                    magic[1], magic[2], magic[3]);
    for (int d = 0; d < magic[3]; d++) {
        if (!gz_read(g, dim, sizeof dim, r))
            return false;
        dims[d] = (int64_t)((uint32_t)dim[0] << 24 | (uint32_t)dim[1] << 16 | (uint32_t)dim[2] << 8 | dim[3]);
    }
    if (!tensor_shape(out, type, magic[3], dims) || tensor_bytes(out) > g->most) {
        char text[TYPE_TEXT];

        *out = (struct tensor){ .dtype = type, .rank = magic[3] };
        for (int d = 0; d < out->rank; d++)
            out->dims[d] = dims[d];
        return fail(r, KILN_BAD_DATA, g->name, "the header promises %s, the file holds at most %lld bytes",
                    tensor_text(out, text), (long long)most);
    }
    return true;
}

struct idx_reader {
    struct array_reader array;
    struct budget *budget;
    struct gz file;
};

static bool read_elements(struct array_reader *a, void *to, int64_t elements, struct report *r)
{
    struct idx_reader *g = (struct idx_reader *)a;
    const enum dtype dtype = a->type.dtype;

    if (!gz_read(&g->file, to, elements * element_bytes(dtype), r))
        return false;
    if (!big_endian)
        swap_bytes(to, elements, dtype);
    return true;
}

static void close_reader(struct array_reader *a)
{
    struct idx_reader *g = (struct idx_reader *)a;

    if (g->file.file)
        gz_close(&g->file);
    budget_free(g->budget, g);
}

static bool end(struct array_reader *a, struct report *r)
{
    struct idx_reader *g = (struct idx_reader *)a;
    const bool ok = gz_end(&g->file, r);

    g->file.file = NULL;
    return ok;
}

struct array_reader *idx_open(const char *path, const struct type_check *check, struct budget *b, struct report *r)
{
    struct idx_reader *g = budget_zalloc(b, 1, sizeof *g, r);

    if (!g)
        return NULL;
    g->budget = b;
    if (!gz_open(&g->file, path, b, r)) {
        budget_free(b, g);
        return NULL;
    }
    g->array = (struct array_reader){ .read = read_elements, .end = end, .close = close_reader };
    if (read_header(&g->file, &g->array.type, r) && type_fits(check, &g->array.type, path, r))
        return &g->array;
    close_reader(&g->array);
    return NULL;
}

bool idx_load(struct tensor *out, const char *path, const struct type_check *check, struct budget *b, struct report *r)
{
    return array_load(out, idx_open(path, check, b, r), b, r);
}
