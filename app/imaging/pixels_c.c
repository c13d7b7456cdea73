#define PIXELS_TABLE nset_pixels_c
#include "imaging/pixels_body.h"
