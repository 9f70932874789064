// All kernels, as one module.
#include "conv.cu"
#include "elementwise.cu"
#include "implicit.cu"
#include "loss.cu"
#include "norm.cu"
#include "pool.cu"
#include "update.cu"
