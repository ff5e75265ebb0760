/* One loop, from type FROM to type TO (codes of dtypes); included by convert_from.h for each TO. See convert.c. */
static void NAME(FROM, TO)(const void *from, void *to, int64_t n)
{
    const STORED(FROM) *const x = from;
    STORED(TO) *const y = to;

    for (int64_t k = 0; k < n; k++) {
        const COMPUTED(FROM) v = READ(FROM)(x[k]);

#if KIND(FROM) == REAL && KIND(TO) == INTEGER
        y[k] = v != v ? 0 : v <= LEAST(TO) ? LEAST(TO) : v >= PAST(TO) ? MOST(TO) : (STORED(TO))v;
#else
        y[k] = WRITE(TO)(v);
#endif
    }
}
#undef TO
