/* page.html, made a part of the command by page.sh. */
#ifndef KILN_SERVE_PAGE_H
#define KILN_SERVE_PAGE_H

#include <stddef.h>

extern const unsigned char serve_page[];
extern const size_t serve_page_size;

#endif
