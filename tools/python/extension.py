"""Writes the C source of the extension, kiln._kiln: what kiln.h declares, for cffi's API mode. Usage: extension.py kiln.h OUTPUT.c"""

import re
import sys

import cffi

# Functions of Python's that the library calls; kiln/_library.py has what they do.
CALLBACKS = """
extern "Python" {
    void kiln_python_diagnostic(void *user, kiln_status code, const char *where, const char *message);
    bool kiln_python_write(void *user, const void *bytes, size_t count);
    bool kiln_python_begin(void *user, int64_t epoch);
    bool kiln_python_step(void *user, const kiln_fit_step *step);
    bool kiln_python_epoch(void *user, const kiln_epoch *epoch);
    bool kiln_python_start(void *user, int64_t pass, kiln_error *err);
    int64_t kiln_python_next(void *user, int64_t most, void *const *inputs, void *const *targets, float *weights, kiln_error *err);
    bool kiln_python_each(void *user, const kiln_tensor *const *x, int64_t first, int64_t count);
}
"""


def declarations(header):
    """What cffi is to read of the header: no comments, nothing that is for the preprocessor."""
    text = re.sub(r"/\*.*?\*/", " ", header, flags=re.DOTALL)
    statuses = re.findall(r"X\((KILN_\w+), (-?\d+), ", text)
    text = text.replace("KILN_STATUSES(KILN_STATUS_ENTRY)", ", ".join(f"{name} = {number}" for name, number in statuses))
    text = re.sub(r"^#ifdef __cplusplus\n.*?^#endif\n", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"^#(.*\\\n)*.*\n", "", text, flags=re.MULTILINE)
    return text.replace("KILN_API ", "")


def main():
    header, output = sys.argv[1:]
    made = cffi.FFI()
    with open(header) as f:
        made.cdef(declarations(f.read()) + CALLBACKS)
    made.set_source("kiln._kiln", '#include "kiln.h"')
    made.emit_c_code(output)


if __name__ == "__main__":
    main()
