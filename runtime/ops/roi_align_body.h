/* The loops of roi_align.c for one type `real`, in which all is computed: how many samples there are, too. No include
 * guard: included once for each. */

struct NAME(region) { /* by axis: height, width */
    real start[AXES], bin[AXES];
    double samples[AXES]; /* of a bin */
};

static struct NAME(region) NAME(region_of)(const struct roi_align *a, const real *corners)
{
    const real offset = a->half_pixel ? (real).5 : 0;
    struct NAME(region) r;

    for (int d = 0; d < AXES; d++) { /* x stands before y */
        const real from = corners[1 - d] * (real)a->scale - offset, to = corners[3 - d] * (real)a->scale - offset;

        r.start[d] = from;
        r.bin[d] = (to - from < 1 && !a->half_pixel ? 1 : to - from) / (real)a->out[d];
        r.samples[d] = a->ratio ? (double)a->ratio : ceil((double)r.bin[d]);
        if (!(r.samples[d] > 0 && r.samples[d] < MOST_SAMPLES)) /* turned over, or beyond all measure */
            r.samples[d] = 0;
    }
    return r;
}

static real NAME(place)(const struct NAME(region) * r, int d, int64_t bin, int64_t sample)
{
    return r->start[d] + (real)bin * r->bin[d] + ((real)sample + (real).5) * r->bin[d] / (real)r->samples[d];
}

/* Of a bin's samples along an axis of `size` elements: those that are not outside, and few others. */
static struct span NAME(inside)(const struct NAME(region) * r, int d, int64_t bin, int64_t size)
{
    const double first = (double)NAME(place)(r, d, bin, 0), step = (double)r->bin[d] / r->samples[d];
    const double a = (-1 - first) / step, b = ((double)size - first) / step, most = r->samples[d];
    const double from = floor(a < b ? a : b) - 2, to = ceil(a < b ? b : a) + 3;

    if (most == 0 || size == 0)
        return (struct span){ 0, 0 };
    if (!(fabs(from) < MOST_SAMPLES && fabs(to) < MOST_SAMPLES)) /* the step is next to nothing */
        return (struct span){ 0, (int64_t)most };
    return (struct span){ lesser(greater((int64_t)from, 0), (int64_t)most),
                          lesser(greater((int64_t)to, 0), (int64_t)most) };
}

/* The elements that a place is between, and how far behind the lower one; false where it is outside. */
static bool NAME(between)(real place, int64_t size, int64_t *low, int64_t *high, real *part)
{
    if (!(place >= -1 && place <= (real)size))
        return false;
    place = place > 0 ? place : 0;
    *low = lesser((int64_t)place, size - 1);
    *high = lesser(*low + 1, size - 1);
    *part = *high > *low ? place - (real)*low : 0;
    return true;
}

/* -- avg -- */

/* What each element along an axis counts in a bin, for all samples together. Those of the span alone count. */
static struct span NAME(weigh)(const struct NAME(region) * r, int d, int64_t bin, int64_t size, real *weight)
{
    const struct span samples = NAME(inside)(r, d, bin, size);
    struct span counted = { size, 0 };

    memset(weight, 0, (size_t)size * sizeof *weight);
    for (int64_t s = samples.from; s < samples.to; s++) {
        int64_t low, high;
        real part;

        if (!NAME(between)(NAME(place)(r, d, bin, s), size, &low, &high, &part))
            continue;
        weight[low] += 1 - part;
        weight[high] += part;
        counted = (struct span){ lesser(counted.from, low), greater(counted.to, (part > 0 ? high : low) + 1) };
    }
    return counted;
}

/* The bin at `out` of some channels, whose planes begin at element `in`: y, or what dy adds to dx. */
static void NAME(average)(const struct roi_job *j, const struct NAME(region) * r, const int64_t *bin,
                          const struct roi_channels *ch, void *scratch)
{
    real *const height = scratch, *const width = height + j->size[0];
    const struct span rows = NAME(weigh)(r, 0, bin[0], j->size[0], height);
    const struct span columns = NAME(weigh)(r, 1, bin[1], j->size[1], width);
    const real samples = (real)fmax(r->samples[0] * r->samples[1], 1);

    for (int64_t c = 0; c < ch->count; c++) {
        const int64_t in = ch->in + c * j->plane, out = ch->out + c * j->bins;
        real sum = 0;

        for (int64_t y = rows.from; y < rows.to; y++) {
            const int64_t row = in + y * j->size[1];

            if (j->dy)
                for (int64_t x = columns.from; x < columns.to; x++)
                    ((real *)j->to)[row + x] += height[y] * width[x] * ((const real *)j->dy)[out] / samples;
            else
                for (int64_t x = columns.from; x < columns.to; x++)
                    sum += height[y] * width[x] * ((const real *)j->x)[row + x];
        }
        if (!j->dy)
            ((real *)j->to)[out] = sum / samples;
    }
}

/* -- max -- */

struct NAME(best) {
    real value, weight;
    int64_t at;
};

static void NAME(compare)(struct NAME(best) * b, const real *x, int64_t at, real weight)
{
    const real value = weight * x[at];

    if (value > b->value || value != value)
        *b = (struct NAME(best)){ value, weight, at };
}

/* The highest of the four products of each sample of a bin, in one channel. */
static struct NAME(best)
    NAME(highest)(const struct roi_job *j, const struct NAME(region) * r, const int64_t *bin, const real *x)
{
    const struct span rows = NAME(inside)(r, 0, bin[0], j->size[0]), columns = NAME(inside)(r, 1, bin[1], j->size[1]);
    struct NAME(best) best = { -INFINITY, 0, 0 };
    double met = 0;

    for (int64_t sy = rows.from; sy < rows.to && !pool_late(j->pool); sy++) {
        int64_t low, high, left, right;
        real down, along;

        if (!NAME(between)(NAME(place)(r, 0, bin[0], sy), j->size[0], &low, &high, &down))
            continue;
        for (int64_t sx = columns.from; sx < columns.to; sx++) {
            if (!NAME(between)(NAME(place)(r, 1, bin[1], sx), j->size[1], &left, &right, &along))
                continue;
            NAME(compare)(&best, x, low * j->size[1] + left, (1 - down) * (1 - along));
            NAME(compare)(&best, x, low * j->size[1] + right, (1 - down) * along);
            NAME(compare)(&best, x, high * j->size[1] + left, down * (1 - along));
            NAME(compare)(&best, x, high * j->size[1] + right, down * along);
            met++;
        }
    }
    if (!(met > 0) || (met < r->samples[0] * r->samples[1] && best.value < 0)) /* a sample outside is 0 */
        best = (struct NAME(best)){ 0, 0, 0 };
    return best;
}

static void NAME(maximum)(const struct roi_job *j, const struct NAME(region) * r, const int64_t *bin,
                          const struct roi_channels *ch)
{
    for (int64_t c = 0; c < ch->count; c++) {
        const int64_t in = ch->in + c * j->plane, out = ch->out + c * j->bins;
        const struct NAME(best) best = NAME(highest)(j, r, bin, (const real *)j->x + in);

        if (!j->dy)
            ((real *)j->to)[out] = best.value;
        else if (best.weight > 0)
            ((real *)j->to)[in + best.at] += best.weight * ((const real *)j->dy)[out];
    }
}

/* -- a region -- */

static void NAME(pool_region)(const struct roi_job *j, const struct roi_channels *first, int64_t roi, void *scratch)
{
    const struct NAME(region) r = NAME(region_of)(j->attrs, (const real *)j->rois + roi * CORNERS);
    struct roi_channels ch = *first;
    int64_t bin[AXES];

    for (bin[0] = 0; bin[0] < j->attrs->out[0] && !pool_late(j->pool); bin[0]++)
        for (bin[1] = 0; bin[1] < j->attrs->out[1]; bin[1]++, ch.out++)
            if (j->attrs->max)
                NAME(maximum)(j, &r, bin, &ch);
            else
                NAME(average)(j, &r, bin, &ch, scratch);
}

#undef NAME
#undef real
