/* The number type of networks: float, except in the build that checks gradients. */
#ifndef NEUROSET_REAL_H
#define NEUROSET_REAL_H

#ifndef NSET_REAL
#define NSET_REAL float
#endif
typedef NSET_REAL nset_real;

#endif
