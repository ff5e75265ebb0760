/* The first k of a row for one type T: topk.c includes this once for each. NAME(f) names the functions, VALUE(v) is what
 * elements are compared by, IS_NAN(v) of that. Forgets T and NAME. */

static inline bool NAME(greater)(const T *x, int64_t a, int64_t b)
{
    return IS_NAN(VALUE(x[a])) ? !IS_NAN(VALUE(x[b])) : VALUE(x[a]) > VALUE(x[b]);
}

/* Does element a come before element b? Of two that are as great the first one does. */
static bool NAME(before)(const struct top *t, const T *x, int64_t a, int64_t b)
{
    if (NAME(greater)(x, a * t->stride, b * t->stride))
        return t->largest;
    if (NAME(greater)(x, b * t->stride, a * t->stride))
        return !t->largest;
    return a < b;
}

/* Lets element `at` of a heap of n sink: the last one of all comes to stand at its top. */
static void NAME(sink)(const struct top *t, const T *x, int64_t *heap, int64_t n, int64_t at)
{
    for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        const int64_t moved = heap[at];

        if (child + 1 < n && NAME(before)(t, x, heap[child], heap[child + 1]))
            child++;
        if (!NAME(before)(t, x, moved, heap[child]))
            return;
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

/* Fills `heap` with the indices of the first k of n, in their order. */
static void NAME(row)(const struct top *t, const void *row, int64_t *heap)
{
    const T *const x = row;

    for (int64_t i = 0; i < t->k; i++)
        heap[i] = i;
    for (int64_t i = t->k / 2 - 1; i >= 0; i--)
        NAME(sink)(t, x, heap, t->k, i);
    for (int64_t i = t->k; i < t->n; i++)
        if (NAME(before)(t, x, i, heap[0])) {
            heap[0] = i;
            NAME(sink)(t, x, heap, t->k, 0);
        }
    for (int64_t end = t->k - 1; end > 0; end--) {
        const int64_t last = heap[0];

        heap[0] = heap[end];
        heap[end] = last;
        NAME(sink)(t, x, heap, end, 0);
    }
}
#undef T
#undef NAME
