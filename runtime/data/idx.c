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

bool idx_load(struct tensor *out, const char *path, const struct type_check *check, struct budget *b, struct report *r)
{
    struct gz g;
    bool ok;

    *out = (struct tensor){ 0 };
    if (!gz_open(&g, path, b, r))
        return false;
    ok = read_header(&g, out, r) && type_fits(check, out, path, r) &&
         (out->data = budget_alloc(b, (size_t)tensor_bytes(out), r)) && gz_read(&g, out->data, tensor_bytes(out), r);
    if (ok)
        ok = gz_end(&g, r);
    else
        gz_close(&g);
    if (ok && !big_endian)
        swap_bytes(out->data, tensor_count(out), out->dtype);
    if (!ok) {
        budget_free(b, out->data);
        *out = (struct tensor){ 0 };
    }
    return ok;
}
