#include "adapt/inference/written.h"
#include <string.h>

bool written_room(const struct facts *f, void *found, size_t size, void *forms, size_t form_size, struct arena *arena,
                  struct report *r)
{
    void *const one = arena_array(arena, f->model->graph->node_count, size, r);
    void *const other = arena_array(arena, f->model->graph->value_count, form_size, r);

    memcpy(found, &one, sizeof one);
    memcpy(forms, &other, sizeof other);
    return one && other;
}
