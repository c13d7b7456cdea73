/* Where the trained networks lie. */
#ifndef NSET_CLI_MODELS_H
#define NSET_CLI_MODELS_H

#include <stddef.h>
#include <neuroset/error.h>

/* path (n bytes) := the file of a model. name with a slash is a path; else it is looked for, as it is and with
 * ".safetensors", in $NEUROSET_MODELS, ../share/neuroset/models beside the program's folder, and the folder that was
 * configured at build time. Errors: NSET_ERR_FORMAT, naming the places. */
nset_status nset_model_find(char *path, size_t n, const char *name, nset_error *err);

#endif
