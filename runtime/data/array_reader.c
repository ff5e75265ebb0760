#include "data/array_reader.h"

bool array_load(struct tensor *out, struct array_reader *a, struct budget *b, struct report *r)
{
    bool ok;

    *out = (struct tensor){ 0 };
    if (!a)
        return false;
    *out = a->type;
    out->data = budget_alloc(b, (size_t)tensor_bytes(out), r);
    ok = out->data && a->read(a, out->data, tensor_count(out), r) && a->end(a, r);
    a->close(a);
    if (!ok) {
        budget_free(b, out->data);
        *out = (struct tensor){ 0 };
    }
    return ok;
}
