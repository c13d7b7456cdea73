#define PIXELS_TABLE nset_pixels_avx2
#include "imaging/pixels_body.h"
