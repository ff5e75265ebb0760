/* Images and labels in two IDX files. */
#ifndef KILN_DATA_FORMATS_IMAGES_H
#define KILN_DATA_FORMATS_IMAGES_H

#include "data/format.h"

bool images_open(struct dataset *d, const char *images, const char *labels, const struct format_request *q,
                 struct report *r);

#endif
