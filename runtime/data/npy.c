#include "data/npy.h"
#include "data/element.h"
#include "model/file.h"
#include <string.h>

enum { MAX_HEADER = 65536, ALIGN = 64 };

static const char magic[] = { '\x93', 'N', 'U', 'M', 'P', 'Y' };

static const struct {
    const char *code;
    enum dtype dtype;
} codes[] = {
    { "b1", BOOL }, { "i1", I8 },  { "u1", U8 },  { "i2", I16 }, { "u2", U16 }, { "i4", I32 }, { "u4", U32 },
    { "i8", I64 },  { "u8", U64 }, { "f2", F16 }, { "f4", F32 }, { "f8", F64 }, { "c8", C64 }, { "c16", C128 },
};
enum { CODES = sizeof codes / sizeof *codes };

/* -- the header, a dictionary in Python's notation -- */

struct header {
    const char *name; /* of the file */
    const char *at, *end;
    enum dtype dtype;
    bool swap, fortran;
    int rank;
    int64_t dims[MAX_RANK];
};

static void skip_space(struct header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == '\t'))
        h->at++;
}

static bool take(struct header *h, char c)
{
    skip_space(h);
    if (h->at == h->end || *h->at != c)
        return false;
    h->at++;
    return true;
}

static bool take_word(struct header *h, const char *word)
{
    const size_t n = strlen(word);

    skip_space(h);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

static bool read_string(struct header *h, char *out, size_t size, struct report *r)
{
    const char *close;
    size_t n;

    if (!take(h, '\'') && !take(h, '"'))
        return fail(r, KILN_BAD_DATA, h->name, "bad header: a quoted string is needed at '%.60s'", h->at);
    close = memchr(h->at, h->at[-1], (size_t)(h->end - h->at));
    n = close ? (size_t)(close - h->at) : size;
    if (n >= size)
        return fail(r, KILN_BAD_DATA, h->name, "bad header: a string does not end, or is longer than %zu", size - 1);
    memcpy(out, h->at, n);
    out[n] = 0;
    h->at = close + 1;
    return true;
}

static bool read_type(struct header *h, struct report *r)
{
    char s[32];

    if (take(h, '['))
        return fail(r, KILN_UNSUPPORTED, h->name, "holds a structured array, a numeric type is needed");
    if (!read_string(h, s, sizeof s, r))
        return false;
    if (s[0] && s[1] == 'O')
        return fail(r, KILN_UNSUPPORTED, h->name, "holds pickled Python objects, which are never loaded");
    if (strcmp(s, "bfloat16") == 0 || (s[0] && (strcmp(s + 1, "V2") == 0 || strcmp(s + 1, "V1") == 0)))
        return fail(
            r, KILN_UNSUPPORTED, h->name,
            "type '%s' is not NumPy's: bfloat16 and types of 8 bits and less have none, save them as float32 or "
            "int8 instead",
            s);
    for (int i = 0; i < CODES; i++) {
        const bool single = strlen(codes[i].code) == 2 && codes[i].code[1] == '1';

        if (!s[0] || strcmp(s + 1, codes[i].code) != 0 || !strchr(single ? "|<>=" : "<>=", s[0]))
            continue;
        h->dtype = codes[i].dtype;
        h->swap = !single && s[0] != '=' && (s[0] == '>') != big_endian;
        return true;
    }
    return fail(r, KILN_UNSUPPORTED, h->name, "type '%s' is not supported: bool, integers, floats to 8 bytes, complex",
                s);
}

static bool read_shape(struct header *h, struct report *r)
{
    if (!take(h, '('))
        return fail(r, KILN_BAD_DATA, h->name, "bad header: 'shape' must be a tuple");
    while (!take(h, ')')) {
        int64_t n = 0;
        bool fits = true;

        skip_space(h);
        if (h->at == h->end || *h->at < '0' || *h->at > '9')
            return fail(r, KILN_BAD_DATA, h->name, "bad header: dimension %d is no number", h->rank);
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++)
            fits = fits && mul_size(n, 10, &n) && add_size(n, *h->at - '0', &n);
        if (!fits)
            return fail(r, KILN_BAD_DATA, h->name, "dimension %d does not fit 63 bits", h->rank);
        if (h->rank == MAX_RANK)
            return fail(r, KILN_LIMIT, h->name, "more than %d dimensions", MAX_RANK);
        h->dims[h->rank++] = n;
        take(h, 'L'); /* as Python 2 wrote long integers */
        if (!take(h, ',') && (h->at == h->end || *h->at != ')'))
            return fail(r, KILN_BAD_DATA, h->name, "bad header: 'shape' must be a tuple of integers");
    }
    return true;
}

static bool read_order(struct header *h, struct report *r)
{
    h->fortran = take_word(h, "True");
    return h->fortran || take_word(h, "False") ||
           fail(r, KILN_BAD_DATA, h->name, "bad header: 'fortran_order' must be True or False");
}

static bool read_header(struct header *h, struct report *r)
{
    static const char *const keys[] = { "descr", "fortran_order", "shape" };
    static bool (*const readers[])(struct header *, struct report *) = { read_type, read_order, read_shape };
    bool seen[3] = { false, false, false };

    if (!take(h, '{'))
        return fail(r, KILN_BAD_DATA, h->name, "bad header: it must be a dictionary");
    while (!take(h, '}')) {
        char key[32];
        int k = 0;

        if (!read_string(h, key, sizeof key, r))
            return false;
        while (k < 3 && strcmp(key, keys[k]) != 0)
            k++;
        if (k == 3 || seen[k] || !take(h, ':'))
            return fail(r, KILN_BAD_DATA, h->name, "bad header: key '%s' is unknown, twice there, or without value",
                        key);
        seen[k] = true;
        if (!readers[k](h, r))
            return false;
        if (!take(h, ',') && (h->at == h->end || *h->at != '}'))
            return fail(r, KILN_BAD_DATA, h->name, "bad header: ',' or '}' is needed after '%s'", key);
    }
    skip_space(h);
    if (h->at != h->end)
        return fail(r, KILN_BAD_DATA, h->name, "bad header: something follows the dictionary");
    for (int k = 0; k < 3; k++)
        if (!seen[k])
            return fail(r, KILN_BAD_DATA, h->name, "bad header: '%s' is missing", keys[k]);
    return true;
}

/* -- read -- */

/* The preamble says how long the header is; `text` holds it while it is parsed. */
static bool open_header(struct header *h, struct source *s, struct budget *b, struct report *r)
{
    unsigned char start[8], length[4] = { 0 };
    uint32_t bytes;
    char *text;
    bool ok;

    if (s->left < (int64_t)sizeof start)
        return fail(r, KILN_BAD_DATA, s->name, "not a .npy file: only %lld bytes", (long long)s->left);
    if (!source_read(s, start, sizeof start, r))
        return false;
    if (memcmp(start, magic, sizeof magic) != 0)
        return fail(r, KILN_BAD_DATA, s->name, "not a .npy file: it does not start with '\\x93NUMPY'");
    if (start[6] < 1 || start[6] > 3 || start[7] != 0)
        return fail(r, KILN_UNSUPPORTED, s->name, ".npy version %d.%d, must be 1.0, 2.0 or 3.0", start[6], start[7]);
    if (!source_read(s, length, start[6] == 1 ? 2 : 4, r))
        return false;
    bytes = (uint32_t)length[0] | (uint32_t)length[1] << 8 | (uint32_t)length[2] << 16 | (uint32_t)length[3] << 24;
    if (bytes > MAX_HEADER)
        return fail(r, KILN_LIMIT, s->name, "a header of %u bytes, at most %d are read", bytes, MAX_HEADER);
    text = budget_zalloc(b, bytes + 1, 1, r);
    if (!text)
        return false;
    *h = (struct header){ .name = s->name, .at = text, .end = text + bytes };
    ok = source_read(s, text, bytes, r) && read_header(h, r);
    budget_free(b, text);
    return ok;
}

struct npy_reader {
    struct array_reader array;
    struct budget *budget;
    struct source *source;
    void (*close)(struct source *source); /* with the reader; NULL: it is the caller's */
    struct header header;
    bool turned;            /* it is in the order of columns: */
    unsigned char *columns; /* all of it, from the first read on */
    int64_t at;             /* elements that have been read of that */
    unsigned char *block;   /* bytes that were read ahead: rows may be small */
    int64_t begin, end;
};

enum { BLOCK = 1 << 16 };

/* As source_read, from the block. */
static bool read_bytes(struct npy_reader *g, char *to, int64_t bytes, struct report *r)
{
    while (bytes) {
        const int64_t there = g->end - g->begin, n = there < bytes ? there : bytes;

        memcpy(to, g->block + g->begin, (size_t)n);
        g->begin += n;
        to += n;
        bytes -= n;
        if (bytes >= BLOCK)
            return source_read(g->source, to, bytes, r);
        if (!bytes)
            break;
        g->begin = 0;
        g->end = g->source->left < BLOCK ? g->source->left : BLOCK;
        if (g->end < bytes)
            g->end = bytes; /* which the source refuses */
        if (!source_read(g->source, g->block, g->end, r))
            return false;
    }
    return true;
}

/* Elements [at, at + n) in the order of rows: `in` walks with the strides of the reversed axes. */
static void to_row_major(char *out, const unsigned char *in, const struct tensor *t, int64_t at, int64_t n)
{
    const size_t size = (size_t)element_bytes(t->dtype);
    int64_t index[MAX_RANK] = { 0 }, stride[MAX_RANK];
    int64_t from = 0, left = at;

    for (int d = t->rank - 1; d >= 0; d--) {
        stride[d] = dims_product(t->dims, 0, d);
        index[d] = n ? left % t->dims[d] : 0;
        left = n ? left / t->dims[d] : 0;
        from += index[d] * stride[d];
    }
    for (int64_t i = 0; i < n; i++, out += size) {
        memcpy(out, in + from * (int64_t)size, size);
        for (int d = t->rank - 1; d >= 0; d--) {
            from += stride[d];
            if (++index[d] < t->dims[d])
                break;
            from -= stride[d] * t->dims[d];
            index[d] = 0;
        }
    }
}

static bool read_columns(struct npy_reader *g, struct report *r)
{
    const int64_t bytes = g->source->left;

    if (g->columns || !bytes)
        return true;
    g->columns = budget_alloc(g->budget, (size_t)bytes, r);
    return g->columns && source_read(g->source, g->columns, bytes, r);
}

static bool read_elements(struct array_reader *a, void *to, int64_t elements, struct report *r)
{
    struct npy_reader *g = (struct npy_reader *)a;

    if (g->turned && !read_columns(g, r))
        return false;
    if (g->turned)
        to_row_major(to, g->columns, &a->type, g->at, elements);
    else if (!read_bytes(g, to, elements * element_bytes(a->type.dtype), r))
        return false;
    g->at += elements;
    if (g->header.swap)
        swap_bytes(to, elements, a->type.dtype);
    for (int64_t i = 0; i < elements && a->type.dtype == BOOL; i++)
        ((uint8_t *)to)[i] = ((uint8_t *)to)[i] != 0;
    return true;
}

static void close_reader(struct array_reader *a)
{
    struct npy_reader *g = (struct npy_reader *)a;

    if (g->close)
        g->close(g->source);
    budget_free(g->budget, g->columns);
    budget_free(g->budget, g->block);
    budget_free(g->budget, g);
}

/* Its bytes were counted when it was opened. */
static bool end(struct array_reader *a, struct report *r)
{
    (void)a;
    (void)r;
    return true;
}

static bool begin(struct npy_reader *g, struct report *r)
{
    const int64_t bytes = tensor_count(&g->array.type) * element_bytes(g->header.dtype);

    if (bytes != g->source->left)
        return fail(r, KILN_BAD_DATA, g->source->name, "%lld bytes of data, the header needs %lld",
                    (long long)g->source->left, (long long)bytes);
    g->turned = g->header.fortran && g->array.type.rank > 1;
    if (g->turned)
        g->array.why = "it is in Fortran's order, that of columns, numpy.ascontiguousarray makes one of rows";
    return g->turned || (g->block = budget_alloc(g->budget, BLOCK, r));
}

struct array_reader *npy_open(struct source *s, void (*close)(struct source *s), const struct type_check *check,
                              struct budget *b, struct report *r)
{
    struct npy_reader *g = budget_zalloc(b, 1, sizeof *g, r);
    struct tensor *type;

    if (!g) {
        if (close)
            close(s);
        return NULL;
    }
    g->source = s;
    g->close = close;
    g->budget = b;
    g->array = (struct array_reader){ .read = read_elements, .end = end, .close = close_reader };
    type = &g->array.type;
    if (open_header(&g->header, s, b, r)) {
        if (!tensor_shape(type, g->header.dtype, g->header.rank, g->header.dims))
            fail(r, KILN_BAD_DATA, s->name, "the array would have more bytes than can be counted");
        else if (type_fits(check, type, s->name, r) && begin(g, r))
            return &g->array;
    }
    close_reader(&g->array);
    return NULL;
}

bool npy_read(struct tensor *out, struct source *s, const struct type_check *check, struct budget *b, struct report *r)
{
    return array_load(out, npy_open(s, NULL, check, b, r), b, r);
}

/* A file as long as its reader lives. */
struct opened {
    struct file_source file;
    struct budget *budget;
};

static void close_file(struct source *s)
{
    struct opened *f = (struct opened *)s;

    file_source_close(&f->file);
    budget_free(f->budget, f);
}

struct array_reader *npy_open_file(const char *path, const struct type_check *check, struct budget *b, struct report *r)
{
    struct opened *f = budget_zalloc(b, 1, sizeof *f, r);

    if (!f)
        return NULL;
    f->budget = b;
    if (file_source_open(&f->file, path, r))
        return npy_open(&f->file.source, close_file, check, b, r);
    budget_free(b, f);
    return NULL;
}

bool npy_load(struct tensor *out, const char *path, const struct type_check *check, struct budget *b, struct report *r)
{
    return array_load(out, npy_open_file(path, check, b, r), b, r);
}

/* -- write -- */

bool npy_header(const struct tensor *t, const char *name, struct text *to, struct report *r)
{
    static const char spaces[ALIGN + 1] = "                                                                ";
    struct text h = { .budget = to->budget, .report = r };
    const char *code = NULL;
    size_t total;

    for (int i = 0; i < CODES; i++)
        if (codes[i].dtype == t->dtype)
            code = codes[i].code;
    if (!code || t->kind != TENSOR || t->rank < 0)
        return fail(r, KILN_UNSUPPORTED, name,
                    "a .npy file cannot hold %s, only a tensor of bool, int, float or complex",
                    t->kind == TENSOR ? dtype_name(t->dtype) : "this value");
    text_printf(&h, "{'descr': '%c%s', 'fortran_order': False, 'shape': (", element_bytes(t->dtype) > 1 ? '<' : '|',
                code);
    for (int d = 0; d < t->rank; d++)
        text_printf(&h, d + 1 < t->rank ? "%lld, " : t->rank > 1 ? "%lld" : "%lld,", (long long)t->dims[d]);
    text_printf(&h, "), }");
    total = sizeof magic + 4 + h.length + 1;
    text_add(&h, spaces, (ALIGN - total % ALIGN) % ALIGN);
    text_add(&h, "\n", 1);
    if (!h.failed) {
        text_add(to, magic, sizeof magic);
        text_add(to, (const char[]){ 1, 0, (char)(h.length & 0xff), (char)(h.length >> 8) }, 4);
        text_add(to, h.data, h.length);
    }
    text_release(&h);
    return !h.failed && !to->failed;
}

bool npy_write(const struct tensor *t, const char *name, struct text *to, struct report *r)
{
    size_t data;

    if (!npy_header(t, name, to, r))
        return false;
    data = to->length;
    text_add(to, t->data, (size_t)tensor_bytes(t));
    if (big_endian && !to->failed)
        swap_bytes(to->data + data, tensor_count(t), t->dtype);
    return !to->failed;
}

bool npy_save(const struct tensor *t, const char *path, struct budget *b, struct report *r)
{
    struct text bytes = { .budget = b, .report = r };
    const bool ok = npy_write(t, path, &bytes, r) && file_write(path, bytes.data, bytes.length, r);

    text_release(&bytes);
    return ok;
}
