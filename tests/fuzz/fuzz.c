/* libFuzzer's way in. TRY is what an input is put through. */
#include "try.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TRY(data, size);
    return 0;
}
