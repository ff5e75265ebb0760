#!/bin/sh
# Makes a C file of the page. Usage: page.sh HTML C
set -e
{
    echo '#include "serve/page.h"'
    echo 'const unsigned char serve_page[] = {'
    od -An -v -tu1 "$1" | sed 's/[0-9][0-9]*/&,/g'
    echo '};'
    echo 'const size_t serve_page_size = sizeof serve_page;'
} >"$2"
