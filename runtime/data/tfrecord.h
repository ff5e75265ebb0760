/* TensorFlow's record files (https://www.tensorflow.org/tutorials/load_data/tfrecord), plain or gzipped, whose records are
 * tf.train.Example: features by name, each a list of bytes, of floats or of integers. Check sums are looked at. */
#ifndef KILN_DATA_TFRECORD_H
#define KILN_DATA_TFRECORD_H

#include "data/gz.h"

enum tf_kind { TF_NONE, TF_BYTES, TF_FLOAT, TF_INT64 };

struct tf_feature {
    enum tf_kind kind;
    const uint8_t *at, *end; /* its list, a message in the record */
    int64_t count;           /* of values; of TF_BYTES of strings */
    const uint8_t *bytes;    /* of TF_BYTES: the first string, and how long it is */
    int64_t length;
};

struct tf_reader {
    struct gz file;
    int64_t record; /* the number of the one that is there, from 0 */
    uint8_t *bytes;
    int64_t size;
    size_t room;
    struct budget *budget;
};

/* On failure nothing is to be closed. */
bool tf_open(struct tf_reader *t, const char *path, struct budget *b, struct report *r);
/* The next record is in bytes; *end where there is none, after which only tf_close is left. */
bool tf_next(struct tf_reader *t, bool *end, struct report *r);
void tf_close(struct tf_reader *t);

/* Of the record that is there: kind is TF_NONE where it has no such feature, or an empty one. False with an error where
 * the record is no tf.train.Example. */
bool tf_find(struct tf_feature *out, const struct tf_reader *t, const char *name, struct report *r);
/* Calls for each feature of the record. */
bool tf_each(const struct tf_reader *t, void (*each)(void *user, const char *name, size_t length), void *user,
             struct report *r);
/* The values of a list, float or int64, for which there is room; it was found by tf_find. */
void tf_floats(const struct tf_feature *f, float *to);
void tf_int64s(const struct tf_feature *f, int64_t *to);

#endif
