#include "data/tfrecord.h"
#include <string.h>

/* -- records: length, its check sum, the bytes, theirs -- */

enum { HEAD = 12, TAIL = 4 };

/* CRC-32C (Castagnoli), four bits at a time. */
static uint32_t crc32c(const uint8_t *p, int64_t n)
{
    static const uint32_t table[16] = { 0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
                                        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
                                        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75 };
    uint32_t crc = ~0u;

    for (int64_t k = 0; k < n; k++) {
        crc ^= p[k];
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

static uint32_t masked(uint32_t crc)
{
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static uint64_t little(const uint8_t *p, int bytes)
{
    uint64_t n = 0;

    for (int k = 0; k < bytes; k++)
        n |= (uint64_t)p[k] << 8 * k;
    return n;
}

bool tf_open(struct tf_reader *t, const char *path, struct budget *b, struct report *r)
{
    *t = (struct tf_reader){ .record = -1, .budget = b };
    return gz_open(&t->file, path, b, r);
}

static bool bad_sum(const struct tf_reader *t, const char *what, struct report *r)
{
    return fail(r, KILN_BAD_DATA, t->file.name, "record %lld: the check sum of its %s is wrong", (long long)t->record,
                what);
}

bool tf_next(struct tf_reader *t, bool *end, struct report *r)
{
    uint8_t head[HEAD];
    uint64_t size;

    if (!gz_at_end(&t->file, end, r) || *end)
        return *end && !failed(r);
    t->record++;
    if (!gz_read(&t->file, head, HEAD, r))
        return false;
    size = little(head, 8);
    if (masked(crc32c(head, 8)) != little(head + 8, 4))
        return bad_sum(t, "length", r);
    if (t->file.most < TAIL || size > (uint64_t)(t->file.most - TAIL))
        return fail(r, KILN_BAD_DATA, t->file.name, "record %lld has %llu bytes, the file holds at most %lld more",
                    (long long)t->record, (unsigned long long)size, (long long)t->file.most);
    t->size = (int64_t)size;
    if (!budget_grow(t->budget, &t->bytes, &t->room, (size_t)size + TAIL, 1, r) ||
        !gz_read(&t->file, t->bytes, t->size + TAIL, r))
        return false;
    return masked(crc32c(t->bytes, t->size)) == little(t->bytes + t->size, 4) || bad_sum(t, "bytes", r);
}

void tf_close(struct tf_reader *t)
{
    gz_close(&t->file);
    budget_free(t->budget, t->bytes);
}

/* -- messages: what of protobuf's wire format an Example needs -- */

enum wire { VARINT = 0, WIRE64 = 1, LENGTH = 2, WIRE32 = 5 };

struct message {
    const uint8_t *at, *end;
};

struct part {
    uint64_t number;
    enum wire wire;
    uint64_t value;         /* of VARINT */
    struct message content; /* of the others */
};

static bool varint(struct message *m, uint64_t *out)
{
    *out = 0;
    for (int shift = 0; shift < 64 && m->at < m->end; shift += 7) {
        const uint8_t byte = *m->at++;

        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

static bool take(struct message *m, uint64_t bytes, struct message *out)
{
    if (bytes > (uint64_t)(m->end - m->at))
        return false;
    *out = (struct message){ m->at, m->at + bytes };
    m->at += bytes;
    return true;
}

/* The next field; false where the message is no message. */
static bool next(struct message *m, struct part *p)
{
    uint64_t key, length;

    *p = (struct part){ 0 };
    if (!varint(m, &key))
        return false;
    p->number = key >> 3;
    p->wire = (enum wire)(key & 7);
    switch (p->wire) {
    case VARINT:
        return varint(m, &p->value);
    case WIRE64:
        return take(m, 8, &p->content);
    case LENGTH:
        return varint(m, &length) && take(m, length, &p->content);
    case WIRE32:
        return take(m, 4, &p->content);
    }
    return false;
}

/* -- an Example: features (1), entries (1) of a name (1) and a feature (2), which is one of three lists of values (1) -- */

struct entry {
    struct message name, feature;
};

/* The next entry of the features; *more is false after the last one. */
static bool next_entry(struct message *features, struct entry *e, bool *more)
{
    struct part p;

    for (*more = false; features->at < features->end;) {
        if (!next(features, &p))
            return false;
        if (p.number != 1 || p.wire != LENGTH)
            continue;
        *e = (struct entry){ { NULL, NULL }, { NULL, NULL } };
        for (struct message m = p.content; m.at < m.end;) {
            if (!next(&m, &p))
                return false;
            if (p.number == 1 && p.wire == LENGTH)
                e->name = p.content;
            if (p.number == 2 && p.wire == LENGTH)
                e->feature = p.content;
        }
        *more = true;
        return true;
    }
    return true;
}

/* Counts the values of a list, and finds the first string. */
static bool count_values(struct tf_feature *f)
{
    struct part p;

    f->count = 0;
    for (struct message m = { f->at, f->end }; m.at < m.end;) {
        if (!next(&m, &p))
            return false;
        if (p.number != 1)
            continue;
        if (f->kind == TF_BYTES && p.wire == LENGTH) {
            if (!f->count++) {
                f->bytes = p.content.at;
                f->length = p.content.end - p.content.at;
            }
        } else if (f->kind == TF_FLOAT && (p.wire == LENGTH || p.wire == WIRE32)) {
            if ((p.content.end - p.content.at) % 4)
                return false;
            f->count += (p.content.end - p.content.at) / 4;
        } else if (f->kind == TF_INT64 && p.wire == VARINT) {
            f->count++;
        } else if (f->kind == TF_INT64 && p.wire == LENGTH) {
            for (uint64_t value; p.content.at < p.content.end; f->count++)
                if (!varint(&p.content, &value))
                    return false;
        } else {
            return false;
        }
    }
    return true;
}

static bool read_feature(struct tf_feature *f, struct message m)
{
    struct part p;

    *f = (struct tf_feature){ 0 };
    while (m.at < m.end) {
        if (!next(&m, &p))
            return false;
        if (p.number < TF_BYTES || p.number > TF_INT64 || p.wire != LENGTH)
            continue;
        *f = (struct tf_feature){ .kind = (enum tf_kind)p.number, .at = p.content.at, .end = p.content.end };
        if (!count_values(f))
            return false;
    }
    if (!f->count)
        f->kind = TF_NONE;
    return true;
}

static bool no_example(const struct tf_reader *t, struct report *r)
{
    return fail(r, KILN_BAD_DATA, t->file.name, "record %lld is no tf.train.Example", (long long)t->record);
}

/* Calls `each` until it is false. */
static bool walk(const struct tf_reader *t, bool (*each)(void *user, const struct entry *e), void *user,
                 struct report *r)
{
    struct message m = { t->bytes, t->bytes + t->size };
    struct part p;
    struct entry e;
    bool more;

    while (m.at < m.end) {
        if (!next(&m, &p))
            return no_example(t, r);
        if (p.number != 1 || p.wire != LENGTH)
            continue;
        do {
            if (!next_entry(&p.content, &e, &more) || (more && !each(user, &e)))
                return no_example(t, r);
        } while (more);
    }
    return true;
}

struct finding {
    const char *name;
    struct tf_feature *out;
};

static bool find(void *user, const struct entry *e)
{
    const struct finding *f = user;
    const size_t n = strlen(f->name);

    if ((size_t)(e->name.end - e->name.at) != n || (n && memcmp(e->name.at, f->name, n) != 0))
        return true;
    return read_feature(f->out, e->feature);
}

bool tf_find(struct tf_feature *out, const struct tf_reader *t, const char *name, struct report *r)
{
    struct finding f = { name, out };

    *out = (struct tf_feature){ 0 };
    return walk(t, find, &f, r);
}

struct telling {
    void (*each)(void *user, const char *name, size_t length);
    void *user;
};

static bool tell(void *user, const struct entry *e)
{
    const struct telling *t = user;

    t->each(t->user, (const char *)e->name.at, (size_t)(e->name.end - e->name.at));
    return true;
}

bool tf_each(const struct tf_reader *t, void (*each)(void *user, const char *name, size_t length), void *user,
             struct report *r)
{
    struct telling about = { each, user };

    return walk(t, tell, &about, r);
}

void tf_floats(const struct tf_feature *f, float *to)
{
    struct part p;

    for (struct message m = { f->at, f->end }; m.at < m.end && next(&m, &p);)
        for (; p.number == 1 && p.content.at < p.content.end; p.content.at += 4) {
            const uint32_t bits = (uint32_t)little(p.content.at, 4);

            memcpy(to++, &bits, sizeof bits);
        }
}

void tf_int64s(const struct tf_feature *f, int64_t *to)
{
    struct part p;

    for (struct message m = { f->at, f->end }; m.at < m.end && next(&m, &p);) {
        if (p.number != 1)
            continue;
        if (p.wire == VARINT)
            *to++ = (int64_t)p.value;
        for (uint64_t value; p.wire == LENGTH && p.content.at < p.content.end && varint(&p.content, &value);)
            *to++ = (int64_t)value;
    }
}
