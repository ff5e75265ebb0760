/* What is told of the server and its models, as JSON. */
#ifndef KILN_SERVE_ABOUT_H
#define KILN_SERVE_ABOUT_H

#include "serve/model.h"

void about_error(struct page *to, const char *message);
void about_server(struct page *to);
/* {"live": true}, {"ready": false}, {"name": "m", "ready": true} */
void about_state(struct page *to, const char *name, const char *state, bool is);
/* The protocol's metadata of a model. */
void about_model(struct page *to, const struct served *m);
/* Triton's index of its repository. */
void about_index(struct page *to, const struct served *models, size_t count);
/* What the page shows of all models: metadata, names of classes, what is done to samples, how the outputs tell. */
void about_page(struct page *to, const struct served *models, size_t count);

#endif
