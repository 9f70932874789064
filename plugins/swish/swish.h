/* What swish.c and swish.cu share. */

#ifndef SWISH_H
#define SWISH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A pass over a batch. What is NULL is not wanted. */
typedef struct {
    int64_t batch;
    int64_t channels;
    int64_t places; /* Of one sample. */
    const float *x;
    const float *beta;
    float *y;
    const float *dy;
    float *dx;
    float *dbeta;
    double *sums; /* By sample: that of beta's gradient by channel. */
} swish_pass;

#ifdef SWISH_ON_GPU
/* These put the pass on a stream; all pointers are then to the GPU's memory. They return what went wrong, or NULL. */
const char *swish_forward_on_gpu(const swish_pass *pass, void *stream);
const char *swish_backward_on_gpu(const swish_pass *pass, void *stream);
#endif

#ifdef __cplusplus
}
#endif

#endif
