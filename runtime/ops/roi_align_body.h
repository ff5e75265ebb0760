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

/* Of a bin's samples along an axis of `size` elements: those that are not outside, and few others. All of them where
 * they are next to each other: then sampling_ratio tells how many. */
static struct span NAME(inside)(const struct NAME(region) * r, int d, int64_t bin, int64_t size)
{
    const double first = (double)NAME(place)(r, d, bin, 0), step = (double)r->bin[d] / r->samples[d];
    const double a = (-1 - first) / step, b = ((double)size - first) / step, most = r->samples[d];
    const double from = floor(a < b ? a : b) - 2, to = ceil(a < b ? b : a) + 3;

    if (most == 0 || size == 0)
        return (struct span){ 0, 0 };
    if (step == 0 || from != from || to != to)
        return (struct span){ 0, (int64_t)most };
    return (struct span){ (int64_t)fmin(fmax(from, 0), most), (int64_t)fmin(fmax(to, 0), most) };
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
            real along = 0;

            if (j->dy) {
                along = height[y] * ((const real *)j->dy)[out] / samples;
                for (int64_t x = columns.from; x < columns.to; x++)
                    ((real *)j->to)[row + x] += width[x] * along;
            } else {
                for (int64_t x = columns.from; x < columns.to; x++)
                    along += width[x] * ((const real *)j->x)[row + x];
                sum += height[y] * along;
            }
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

/* Samples of a bin, with the four elements that each is between. */
struct NAME(samples) {
    int64_t count, at[BLOCK][CORNERS];
    real weight[BLOCK][CORNERS];
};

static void NAME(compare)(const struct NAME(samples) * s, const real *x, struct NAME(best) * b)
{
    for (int64_t k = 0; k < s->count; k++)
        for (int e = 0; e < CORNERS; e++) {
            const real value = s->weight[k][e] * x[s->at[k][e]];

            if (value > b->value || value != value)
                *b = (struct NAME(best)){ value, s->weight[k][e], s->at[k][e] };
        }
}

/* The value alone. */
static void NAME(raise)(const struct NAME(samples) * s, const real *x, real *most)
{
    bool number = true;
    real value = *most;

    for (int64_t k = 0; k < s->count; k++) {
        const real *const weight = s->weight[k];
        const int64_t *const at = s->at[k];
        const real a = weight[0] * x[at[0]], b = weight[1] * x[at[1]], c = weight[2] * x[at[2]],
                   d = weight[3] * x[at[3]];
        const real low = a > b ? a : b, high = c > d ? c : d, all = low > high ? low : high;

        value = all > value ? all : value;
        number &= (a == a) & (b == b) & (c == c) & (d == d);
    }
    *most = number ? value : (real)NAN;
}

/* Samples from number *next on of those in `rows` and `columns`, until a block is full or there are no more. */
static void NAME(take_samples)(const struct roi_job *j, const struct NAME(region) * r, const int64_t *bin,
                               struct span rows, struct span columns, int64_t *next, struct NAME(samples) * s)
{
    const int64_t across = columns.to - columns.from, end = (rows.to - rows.from) * across;

    for (s->count = 0; *next < end && s->count < BLOCK; ++*next) {
        int64_t low, high, left, right;
        real down, along;

        if (!NAME(between)(NAME(place)(r, 0, bin[0], rows.from + *next / across), j->size[0], &low, &high, &down) ||
            !NAME(between)(NAME(place)(r, 1, bin[1], columns.from + *next % across), j->size[1], &left, &right, &along))
            continue;
        for (int e = 0; e < CORNERS; e++) {
            s->at[s->count][e] = (e < 2 ? low : high) * j->size[1] + (e % 2 ? right : left);
            s->weight[s->count][e] = (e < 2 ? 1 - down : down) * (e % 2 ? along : 1 - along);
        }
        s->count++;
    }
}

/* The highest of the four products of each sample of the bin, of at most CHANNELS channels. */
static void NAME(maximum)(const struct roi_job *j, const struct NAME(region) * r, const int64_t *bin,
                          const struct roi_channels *ch)
{
    const struct span rows = NAME(inside)(r, 0, bin[0], j->size[0]), columns = NAME(inside)(r, 1, bin[1], j->size[1]);
    struct NAME(best) best[CHANNELS];
    struct NAME(samples) samples;
    int64_t next = 0, met = 0;

    for (int64_t c = 0; c < ch->count; c++)
        best[c] = (struct NAME(best)){ -INFINITY, 0, 0 };
    do {
        NAME(take_samples)(j, r, bin, rows, columns, &next, &samples);
        met += samples.count;
        for (int64_t c = 0; c < ch->count; c++)
            if (j->dy || j->from)
                NAME(compare)(&samples, (const real *)j->x + ch->in + c * j->plane, &best[c]);
            else
                NAME(raise)(&samples, (const real *)j->x + ch->in + c * j->plane, &best[c].value);
    } while (samples.count && !pool_late(j->pool));
    for (int64_t c = 0; c < ch->count; c++) {
        const int64_t in = ch->in + c * j->plane, out = ch->out + c * j->bins;

        if (!met || ((double)met < r->samples[0] * r->samples[1] && best[c].value < 0)) /* a sample outside is 0 */
            best[c] = (struct NAME(best)){ 0, 0, 0 };
        if (j->from)
            ((real *)j->to)[out] = best[c].weight > 0 ? best[c].weight * ((const real *)j->from)[in + best[c].at] : 0;
        else if (!j->dy)
            ((real *)j->to)[out] = best[c].value;
        else if (best[c].weight > 0)
            ((real *)j->to)[in + best[c].at] += best[c].weight * ((const real *)j->dy)[out];
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
