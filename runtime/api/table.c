#include "api/api.h"
#include "base/spec.h"
#include "base/utf8.h"
#include "data/augment.h"
#include "data/format.h"
#include "grad/grad.h"
#include "inspect/operators.h"
#include "ops/registry.h"
#include "train/initialisers.h"
#include "train/metric.h"
#include "train/optimizer.h"
#include "train/plateau.h"
#include "train/regularizer.h"
#include "train/schedule.h"

size_t kiln_shown(const char *s, size_t left)
{
    return s && left ? utf8_shown(s, left) : 0;
}

void kiln_operators(kiln_operator_fn each, void *user)
{
    for (int k = 0; each && op_registry[k]; k++)
        for (const struct op_def *d = op_registry[k]->defs; d->since; d++) {
            const bool differentiable = op_differentiable(d);
            const kiln_operator op = { .name = op_registry[k]->name,
                                       .domain = op_registry[k]->domain,
                                       .since = d->since,
                                       .types = d->types,
                                       .differentiable = differentiable,
                                       .zero_gradient = d->gradient == zero_gradient,
                                       .no_gradient = differentiable ? NULL : d->no_gradient };

            if (!each(user, &op))
                return;
        }
}

kiln_status kiln_operators_write(kiln_write_fn write, void *user, kiln_error *err)
{
    struct writing w;
    bool ok;

    if (!write)
        return api_refuse(err, "write is NULL");
    api_write_begin(&w, NULL, NULL);
    ok = operators_json(&w.text, &w.report);
    return api_write_end(&w, ok, write, user, err);
}

static const struct spec_row *augmentation_table(size_t k)
{
    return k ? NULL : &augmentation_row;
}

kiln_status kiln_table_write(kiln_table table, bool help, kiln_write_fn write, void *user, kiln_error *err)
{
    static spec_table *const tables[] = {
        [KILN_INITIALIZERS] = initialiser_table, [KILN_LOSSES] = loss_table,
        [KILN_METRICS] = metric_table,           [KILN_OPTIMIZERS] = optimizer_table,
        [KILN_SCHEDULES] = schedule_table,       [KILN_PLATEAU] = plateau_table,
        [KILN_REGULARIZERS] = regularizer_table, [KILN_AUGMENTATION] = augmentation_table
    };
    static const struct spec_option *const common[sizeof tables / sizeof *tables] = { [KILN_OPTIMIZERS] =
                                                                                          common_options };
    struct writing w;

    if (!write)
        return api_refuse(err, "write is NULL");
    if (table < KILN_FORMATS || table >= (kiln_table)(sizeof tables / sizeof *tables))
        return api_refuse(err, "table %d is unknown", (int)table);
    api_write_begin(&w, NULL, NULL);
    if (table == KILN_FORMATS)
        (help ? format_help : format_names)(&w.text);
    else if (help)
        spec_help(&w.text, tables[table], common[table]);
    else if (table == KILN_AUGMENTATION)
        spec_keys(&w.text, &augmentation_row);
    else
        spec_names(&w.text, tables[table]);
    return api_write_end(&w, true, write, user, err);
}
