// Losses of logits against a distribution. A block a row; in double precision, as it is a small share of a step and the
// one number that everybody looks at.
#include "common.cuh"

__shared__ double told;

// The block's sum, in all of its threads.
__device__ double all_sum(double sum) {
    sum = block_sum(sum);
    if (threadIdx.x == 0) told = sum;
    __syncthreads();
    sum = told;
    __syncthreads();
    return sum;
}

__device__ float all_largest(const float *values, uint count) {
    __shared__ float parts[256];
    float most = -INFINITY;
    for (uint k = threadIdx.x; k < count; k += blockDim.x) most = fmaxf(most, values[k]);
    parts[threadIdx.x] = most;
    __syncthreads();
    for (uint step = blockDim.x / 2; step > 0; step /= 2) {
        if (threadIdx.x < step) parts[threadIdx.x] = fmaxf(parts[threadIdx.x], parts[threadIdx.x + step]);
        __syncthreads();
    }
    most = parts[0];
    __syncthreads();
    return isfinite(most) ? most : 0.0f;
}

// `ln(sum of e^x)`; NaN when any value is NaN.
__device__ double log_sum_exp(const float *values, uint count) {
    double most = all_largest(values, count), sum = 0.0;
    for (uint k = threadIdx.x; k < count; k += blockDim.x) sum += exp((double)values[k] - most);
    return most + log(all_sum(sum));
}

// `1 - p`, exact where p is close to 1.
__device__ double missed(double log_p) { return -expm1(log_p); }

// `focal` says whether the loss is the focal one.
extern "C" __global__ void class_loss(double *losses, const float *logits, const float *targets, uint classes, int focal, double gamma) {
    logits += (size_t)blockIdx.x * classes, targets += (size_t)blockIdx.x * classes;
    double normalizer = log_sum_exp(logits, classes), sum = 0.0;
    for (uint k = threadIdx.x; k < classes; k += blockDim.x) {
        // A class without weight adds nothing, not even when its logit is infinite.
        if (targets[k] == 0.0f) continue;
        double log_p = (double)logits[k] - normalizer;
        sum -= (double)targets[k] * (focal ? pow(missed(log_p), gamma) : 1.0) * log_p;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) losses[blockIdx.x] = sum;
}

// `gamma * p * (1 - p)^(gamma - 1) * ln p - (1 - p)^gamma`
__device__ double focal_slope(double log_p, double gamma) {
    double off = missed(log_p);
    // Where p is 1 the first term goes to 0, and its factors to an infinity and to 0.
    double first = off == 0.0 || gamma == 0.0 ? 0.0 : gamma * exp(log_p) * pow(off, gamma - 1.0) * log_p;
    return first - pow(off, gamma);
}

extern "C" __global__ void class_loss_input(float *to, const float *gy, const float *logits, const float *targets, uint classes, int focal,
                                            double gamma, int add) {
    logits += (size_t)blockIdx.x * classes, targets += (size_t)blockIdx.x * classes, to += (size_t)blockIdx.x * classes;
    double normalizer = log_sum_exp(logits, classes), sum = 0.0, g = *gy;
    for (uint k = threadIdx.x; k < classes; k += blockDim.x)
        if (targets[k] != 0.0f) sum += (double)targets[k] * (focal ? focal_slope((double)logits[k] - normalizer, gamma) : -1.0);
    sum = all_sum(sum);
    for (uint k = threadIdx.x; k < classes; k += blockDim.x) {
        double log_p = (double)logits[k] - normalizer;
        double pull = targets[k] == 0.0f ? 0.0 : (double)targets[k] * (focal ? focal_slope(log_p, gamma) : -1.0);
        float d = (float)(g * (pull - exp(log_p) * sum));
        to[k] = add ? to[k] + d : d;
    }
}

// One block: `y = factor * sum`.
extern "C" __global__ void total(float *y, const double *parts, uint count, double factor) {
    double sum = 0.0;
    for (uint i = threadIdx.x; i < count; i += blockDim.x) sum += parts[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) *y = (float)(factor * sum);
}

// A part a block.
extern "C" __global__ void squared_errors(double *parts, const float *x, const float *target, size_t n) {
    double sum = 0.0;
    EACH(i, n) {
        double d = (double)x[i] - target[i];
        sum += d * d;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

extern "C" __global__ void squared_errors_input(float *to, const float *gy, const float *x, const float *target, size_t n, int add) {
    float factor = (float)(2.0 * (double)*gy / (double)n);
    EACH(i, n) {
        float d = factor * (x[i] - target[i]);
        to[i] = add ? to[i] + d : d;
    }
}
