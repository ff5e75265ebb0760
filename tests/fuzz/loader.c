/* libFuzzer's way in: every input is taken for a model. */
#include "try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_model(data, size, 0);
    return 0;
}
