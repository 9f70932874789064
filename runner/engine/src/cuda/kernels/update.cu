// Steps of the optimizers, and what is done to gradients and weights around them.
#include "common.cuh"

extern "C" __global__ void sgd(float *param, float *velocity, const float *gradient, size_t n, float lr, float momentum, float decay, int nesterov) {
    EACH(i, n) {
        float g = gradient[i] + decay * param[i], direction = g;
        if (momentum != 0.0f) {
            float v = momentum * velocity[i] + g;
            velocity[i] = v;
            direction = nesterov ? g + momentum * v : v;
        }
        param[i] -= lr * direction;
    }
}

extern "C" __global__ void adamw(float *param, float *first, float *second, const float *gradient, size_t n, float keep, float keep_first,
                                 float take_first, float keep_second, float take_second, float size, float root_correction, float eps) {
    EACH(i, n) {
        float g = gradient[i];
        float m = keep_first * first[i] + take_first * g;
        float v = keep_second * second[i] + take_second * g * g;
        first[i] = m, second[i] = v;
        param[i] = param[i] * keep - size * m / (sqrtf(v) / root_correction + eps);
    }
}

// A run of values.
struct Values {
    const float *values;
    size_t count;
};

// Parts of the sums of squares of several runs of values, y, each taken by all blocks along x.
extern "C" __global__ void squares(double *parts, const Values *runs) {
    Values run = runs[blockIdx.y];
    double sum = 0.0;
    EACH(i, run.count) sum += (double)run.values[i] * run.values[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

// The same for how many values are NaN or infinite.
extern "C" __global__ void not_finite(double *parts, const Values *runs) {
    Values run = runs[blockIdx.y];
    double sum = 0.0;
    EACH(i, run.count) sum += isfinite(run.values[i]) ? 0.0 : 1.0;
    sum = block_sum(sum);
    if (threadIdx.x == 0) parts[blockIdx.y * gridDim.x + blockIdx.x] = sum;
}

extern "C" __global__ void clip(float *x, float limit, size_t n) {
    EACH(i, n) {
        // Written so that NaN stays NaN.
        float high = x[i] > limit ? limit : x[i];
        x[i] = high < -limit ? -limit : high;
    }
}

extern "C" __global__ void pull(float *gradient, const float *w, const float *towards, float square, float absolute, size_t n) {
    EACH(i, n) {
        float off = w[i] - (towards ? towards[i] : 0.0f);
        gradient[i] += square * off + absolute * (off > 0.0f ? 1.0f : off < 0.0f ? -1.0f : 0.0f);
    }
}

// `average += share * (w - average)`
extern "C" __global__ void approach(float *average, const float *w, float share, size_t n) {
    EACH(i, n) average[i] += share * (w[i] - average[i]);
}

// Scales each column down to a norm of at most `bound`; what is within stays. A block a column.
extern "C" __global__ void limit_norms(float *w, uint rows, uint columns, double bound) {
    __shared__ float factor;
    double sum = 0.0;
    for (uint row = threadIdx.x; row < rows; row += blockDim.x) {
        double v = w[(size_t)row * columns + blockIdx.x];
        sum += v * v;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) factor = sqrt(sum) > bound ? (float)(bound / sqrt(sum)) : 1.0f;
    __syncthreads();
    if (factor == 1.0f) return;
    for (uint row = threadIdx.x; row < rows; row += blockDim.x) w[(size_t)row * columns + blockIdx.x] *= factor;
}
