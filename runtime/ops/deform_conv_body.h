/* The loops of deform_conv.c for one type `real`. No include guard: included once for each. */

/* The samples of tap t of an offset group, at points [first, first + count) of the band. */
static struct samples NAME(samples_of)(const struct deform_job *j, int64_t group, int64_t tap, int64_t first,
                                       int64_t count, char *own)
{
    const struct deform *const d = j->deform;
    const struct window *const w = &d->window;
    const int64_t row = ((j->image * d->offset_groups + group) * d->taps + tap) * w->rank;
    const struct samples s = samples_in(&d->sampler, j->slopes, own + 2 * sample_coordinate_bytes(&d->sampler));
    double *const at = (double *)(void *)own;

    for (int64_t p = 0; p < count; p++) {
        const int64_t point = j->first + first + p;
        int64_t out = point, rest = tap;

        for (int k = w->rank - 1; k >= 0; k--) {
            const real offset = ((const real *)j->offset)[(row + k) * d->points + point];
            const int64_t place =
                out % w->out[k] * w->strides[k] - w->pads_begin[k] + rest % w->kernel[k] * w->dilations[k];

            at[p * w->rank + k] = (double)place + (double)offset;
            out /= w->out[k];
            rest /= w->kernel[k];
        }
    }
    sample_points(&d->sampler, at, count, &s);
    return s;
}

/* The mask of tap t of an offset group at those points; NULL: 1. */
static const real *NAME(mask_of)(const struct deform_job *j, int64_t group, int64_t tap, int64_t first)
{
    const struct deform *const d = j->deform;
    const int64_t row = (j->image * d->offset_groups + group) * d->taps + tap;

    return j->mask ? (const real *)j->mask + row * d->points + j->first + first : NULL;
}

/* Columns of tap t of all channels of an offset group. */
static void NAME(make_columns)(const struct deform_job *j, int64_t group, int64_t tap, int64_t first, int64_t count,
                               char *own)
{
    const struct deform *const d = j->deform;
    const struct samples s = NAME(samples_of)(j, group, tap, first, count, own);
    const real *const mask = NAME(mask_of)(j, group, tap, first);
    const int64_t channels = d->channels / d->offset_groups;

    for (int64_t c = group * channels; c < (group + 1) * channels; c++) {
        real *const to = (real *)j->columns + (c * d->taps + tap) * d->band + first;

        NAME(read_samples)(&s, count, (const real *)j->x + (j->image * d->channels + c) * d->plane, to, 1);
        for (int64_t p = 0; p < count && mask; p++)
            to[p] *= mask[p];
    }
}

/* What X gets from tap t of channels [c, end), which have one offset group; spoils the columns' gradients. */
static void NAME(spread_columns)(const struct deform_job *j, int64_t c, int64_t end, int64_t tap, int64_t first,
                                 int64_t count, char *own)
{
    const struct deform *const d = j->deform;
    const int64_t group = c / (d->channels / d->offset_groups);
    const struct samples s = NAME(samples_of)(j, group, tap, first, count, own);
    const real *const mask = NAME(mask_of)(j, group, tap, first);

    for (; c < end; c++) {
        real *const from = (real *)j->back + (c * d->taps + tap) * d->band + first;

        for (int64_t p = 0; p < count && mask; p++)
            from[p] *= mask[p];
        NAME(spread_samples)(&s, count, from, (real *)j->dx + (j->image * d->channels + c) * d->plane);
    }
}

/* What offsets and mask get at tap t of an offset group. */
static void NAME(slope_columns)(const struct deform_job *j, int64_t group, int64_t tap, int64_t first, int64_t count,
                                char *own)
{
    const struct deform *const d = j->deform;
    const struct samples s = NAME(samples_of)(j, group, tap, first, count, own);
    const real *const mask = NAME(mask_of)(j, group, tap, first);
    const int64_t channels = d->channels / d->offset_groups, rank = d->window.rank;
    const int64_t row = (j->image * d->offset_groups + group) * d->taps + tap, point = j->first + first;
    const real *const x = (const real *)j->x + (j->image * d->channels + group * channels) * d->plane;
    const real *const back = (const real *)j->back + (group * channels * d->taps + tap) * d->band + first;
    double *const slope = (double *)(void *)(own + sample_coordinate_bytes(&d->sampler));

    if (j->doffset) {
        memset(slope, 0, (size_t)(count * rank) * sizeof *slope);
        NAME(slope_samples)(&s, count, (int)rank, channels, x, d->plane, back, d->taps * d->band, slope);
        for (int64_t p = 0; p < count; p++)
            for (int64_t k = 0; k < rank; k++)
                ((real *)j->doffset)[(row * rank + k) * d->points + point + p] =
                    (real)slope[p * rank + k] * (mask ? mask[p] : 1);
    }
    for (int64_t p = 0; p < count && j->dmask; p++) {
        real sum = 0;

        for (int64_t k = s.first[p]; k < s.first[p + 1]; k++)
            for (int64_t c = 0; c < channels; c++)
                sum += (real)s.weight[k] * x[c * d->plane + s.offset[k]] * back[c * d->taps * d->band + p];
        ((real *)j->dmask)[row * d->points + point + p] = sum;
    }
}

#undef NAME
#undef real
