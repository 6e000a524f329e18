// The stable interface of libzstd. Every function used here is exported by the shared library,
// so nothing but the header itself has to be bridged.
#ifndef CZSTD_SHIM_H
#define CZSTD_SHIM_H

#include <zstd.h>

#endif
