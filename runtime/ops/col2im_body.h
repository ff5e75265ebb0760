/* LOOP adds n elements of type T to others that are `step` apart: ADDED is what comes of x and y. No include guard:
 * included once for each type; forgets all three. */
static void LOOP(const void *from, void *to, int64_t n, int64_t step)
{
    for (int64_t k = 0; k < n; k++) {
        const T x = ((const T *)from)[k], y = ((const T *)to)[k * step];

        ((T *)to)[k * step] = (T)(ADDED);
    }
}
#undef LOOP
#undef T
#undef ADDED
