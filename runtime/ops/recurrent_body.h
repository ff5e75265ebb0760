/* What the cells of recurrent operators share, for one type of computation. Included with REAL (float, double) and
 * NAME(x). */

static REAL NAME(gate)(const struct recurrent *r, const struct activation *act, REAL x)
{
    const REAL c = (REAL)r->clip;

    return (REAL)activate(act, (double)(c > 0 ? (x > c ? c : x < -c ? -c : x) : x));
}

/* The slope of a gate, from what it gave; where the clip held, nothing passes. */
static REAL NAME(gate_slope)(const struct recurrent *r, const struct activation *act, REAL y)
{
    if (r->clip > 0 &&
        (y == (REAL)activate(act, (double)(REAL)r->clip) || y == (REAL)activate(act, (double)(REAL)-r->clip)))
        return 0;
    return (REAL)activation_slope(act, (double)y);
}
