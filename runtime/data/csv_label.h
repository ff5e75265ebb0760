/* Which column of a table is the label, and the classes that texts stand for. */
#ifndef KILN_DATA_CSV_LABEL_H
#define KILN_DATA_CSV_LABEL_H

#include "base/map.h"
#include "data/csv.h"
#include "data/csv_fields.h"

/* A table, while it is looked at: `first` is at its first row. */
struct csv_reading {
    struct csv first;
    struct csv header; /* at a copy of the header, where there is one */
    struct csv_text header_text;
    const struct csv_request *request;
    struct csv_table *table;
    struct arena *arena;
    int64_t rows;
    bool texts; /* labels are names */
};

/* Field `column` of the next line of a copy; false where there is none. */
bool csv_field_at(struct csv c, int64_t column, struct field *f);
/* " ('age')" for messages, "" without a header. */
const char *csv_column_name(const struct csv_reading *g, int64_t column, char text[MAX_FIELD + 8]);
/* Finds the table's label, and whether it is text. */
bool csv_choose_label(struct csv_reading *g, struct report *r);

/* Names of classes: those that are known, or as they come. */
struct csv_classes {
    struct map map; /* of names to their numbers, from 1 */
    const char **name;
    size_t count, room;
    struct arena *arena;
    struct budget *budget;
};

void csv_classes_init(struct csv_classes *s, struct arena *a, struct budget *b);
void csv_classes_release(struct csv_classes *s);
/* Makes those of the request known. */
bool csv_classes_know(struct csv_classes *s, const struct csv_request *q, struct report *r);
/* The number of a name, which is new where none are `known`; -1 with an error. */
int64_t csv_class_of(struct csv_classes *s, const struct csv_reading *g, const struct csv *at, const struct field *f,
                     struct report *r);
/* Puts their names in the order of their bytes. */
void csv_classes_sort(struct csv_classes *s);

#endif
