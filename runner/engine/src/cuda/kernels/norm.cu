// Batch normalization with the activation that follows it.
//
// Blocks are `lanes` of channels by rows; each thread keeps the numbers of its channels and walks over rows. V is how
// many channels a thread has: 4 where their number is a multiple of it.
#include "common.cuh"

template <int V> struct Lane;
template <> struct Lane<1> {
    float v[1];
    __device__ void load(const float *from) { v[0] = *from; }
    __device__ void store(float *to) const { *to = v[0]; }
};
template <> struct Lane<4> {
    float v[4];
    __device__ void load(const float *from) {
        float4 f = load4(from);
        v[0] = f.x, v[1] = f.y, v[2] = f.z, v[3] = f.w;
    }
    __device__ void store(float *to) const { store4(to, make_float4(v[0], v[1], v[2], v[3])); }
};

// Adds up `sums` of the rows of a block; the result is that of the threads with `threadIdx.y` 0.
template <int N> __device__ void sum_rows(float (&sums)[N], float *shared) {
    uint lanes = blockDim.x, rows = blockDim.y;
    float *own = shared + (threadIdx.y * lanes + threadIdx.x) * N;
    for (int i = 0; i < N; i++) own[i] = sums[i];
    __syncthreads();
    for (uint step = rows / 2; step > 0; step /= 2) {
        if (threadIdx.y < step)
            for (int i = 0; i < N; i++) own[i] += own[step * lanes * N + i];
        __syncthreads();
    }
    for (int i = 0; i < N; i++) sums[i] = own[i];
}

// Per channel and part, the sums of `x - near` and of its square, `near` being the first row: so that a mean much larger
// than the deviation loses nothing. parts: (splits, 2, channels).
template <int V> __device__ void moments(float *parts, const float *x, uint rows, uint channels) {
    extern __shared__ float shared[];
    uint channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    float sums[2 * V] = {};
    if (channel < channels) {
        Lane<V> near, of_row;
        near.load(x + channel);
#pragma unroll 4
        for (uint row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
            of_row.load(x + (size_t)row * channels + channel);
            for (int i = 0; i < V; i++) {
                float d = of_row.v[i] - near.v[i];
                sums[i] += d;
                sums[V + i] += d * d;
            }
        }
    }
    sum_rows(sums, shared);
    if (threadIdx.y == 0 && channel < channels)
        for (int i = 0; i < V; i++) {
            parts[(size_t)blockIdx.y * 2 * channels + channel + i] = sums[i];
            parts[((size_t)blockIdx.y * 2 + 1) * channels + channel + i] = sums[V + i];
        }
}
extern "C" __global__ void moments1(float *parts, const float *x, uint rows, uint channels) { moments<1>(parts, x, rows, channels); }
extern "C" __global__ void moments4(float *parts, const float *x, uint rows, uint channels) { moments<4>(parts, x, rows, channels); }

// The sums over parts of two numbers a channel, in the threads with `threadIdx.y` 0 of a block of 32 channels by 32.
__device__ void join_two(double &first, double &second, const float *parts, uint splits, uint channels, uint channel) {
    __shared__ double shared[2][32][33];
    first = second = 0.0;
    if (channel < channels)
        for (uint split = threadIdx.y; split < splits; split += 32) {
            first += parts[(size_t)split * 2 * channels + channel];
            second += parts[((size_t)split * 2 + 1) * channels + channel];
        }
    shared[0][threadIdx.y][threadIdx.x] = first;
    shared[1][threadIdx.y][threadIdx.x] = second;
    __syncthreads();
    if (threadIdx.y == 0)
        for (int i = 1; i < 32; i++) {
            first += shared[0][i][threadIdx.x];
            second += shared[1][i][threadIdx.x];
        }
}

// affine: (4, channels): mean, `1 / sqrt(variance + eps)`, scale times that, shift.
__device__ void put_affine(float *affine, uint channels, uint channel, float mean, double variance, float scale, float shift, float eps) {
    float inverse = (float)(1.0 / sqrt(variance + (double)eps));
    affine[channel] = mean;
    affine[channels + channel] = inverse;
    affine[2 * channels + channel] = scale * inverse;
    affine[3 * channels + channel] = shift;
}

extern "C" __global__ void affine_of_batch(float *affine, float *mean, float *variance, const float *parts, const float *x,
                                           const float *scale, const float *shift, float eps, uint splits, uint rows, uint channels) {
    uint channel = blockIdx.x * 32 + threadIdx.x;
    double sum, squares;
    join_two(sum, squares, parts, splits, channels, channel);
    if (threadIdx.y != 0 || channel >= channels) return;
    double off = sum / rows;
    double var = squares / rows - off * off;
    // NaN stays NaN.
    if (var < 0.0) var = 0.0;
    float m = (float)((double)x[channel] + off);
    mean[channel] = m;
    variance[channel] = (float)var;
    put_affine(affine, channels, channel, m, var, scale[channel], shift[channel], eps);
}

extern "C" __global__ void affine_given(float *affine, const float *mean, const float *variance, const float *scale, const float *shift,
                                        float eps, uint channels) {
    EACH(channel, channels) put_affine(affine, channels, channel, mean[channel], variance[channel], scale[channel], shift[channel], eps);
}

// `y = curve((x - mean) * factor + shift + residual)`; y may be x.
template <int V> __device__ void normalize(float *y, const float *x, const float *affine, const float *residual, uint rows, uint channels, int curve) {
    uint channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    if (channel >= channels) return;
    Lane<V> mean, factor, shift, of_row, other;
    mean.load(affine + channel);
    factor.load(affine + 2 * channels + channel);
    shift.load(affine + 3 * channels + channel);
#pragma unroll 4
    for (uint row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
        size_t at = (size_t)row * channels + channel;
        of_row.load(x + at);
        if (residual) other.load(residual + at);
        for (int i = 0; i < V; i++) {
            float z = (of_row.v[i] - mean.v[i]) * factor.v[i] + shift.v[i];
            of_row.v[i] = value(curve, residual ? z + other.v[i] : z);
        }
        of_row.store(y + at);
    }
}
extern "C" __global__ void normalize1(float *y, const float *x, const float *affine, const float *residual, uint rows, uint channels, int curve) {
    normalize<1>(y, x, affine, residual, rows, channels, curve);
}
extern "C" __global__ void normalize4(float *y, const float *x, const float *affine, const float *residual, uint rows, uint channels, int curve) {
    normalize<4>(y, x, affine, residual, rows, channels, curve);
}

// Per channel and part, the sums of `g` and of `g * (x - mean) * inverse`, where `g` is the gradient before the activation.
// parts: (splits, 2, channels). Without `x` the second is of no use.
template <int V> __device__ void norm_sums(float *parts, const float *x, const float *g, const float *affine, uint rows, uint channels, int curve) {
    extern __shared__ float shared[];
    uint channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    float sums[2 * V] = {};
    if (channel < channels) {
        Lane<V> mean, inverse, factor, shift, of_x, of_g;
        mean.load(affine + channel);
        inverse.load(affine + channels + channel);
        factor.load(affine + 2 * channels + channel);
        shift.load(affine + 3 * channels + channel);
#pragma unroll 4
        for (uint row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
            size_t at = (size_t)row * channels + channel;
            of_g.load(g + at);
            of_x.load((x ? x : g) + at);
            for (int i = 0; i < V; i++) {
                float centred = of_x.v[i] - mean.v[i];
                float d = of_g.v[i] * slope(curve, centred * factor.v[i] + shift.v[i]);
                sums[i] += d;
                sums[V + i] += d * (centred * inverse.v[i]);
            }
        }
    }
    sum_rows(sums, shared);
    if (threadIdx.y == 0 && channel < channels)
        for (int i = 0; i < V; i++) {
            parts[(size_t)blockIdx.y * 2 * channels + channel + i] = sums[i];
            parts[((size_t)blockIdx.y * 2 + 1) * channels + channel + i] = sums[V + i];
        }
}
extern "C" __global__ void norm_sums1(float *parts, const float *x, const float *g, const float *affine, uint rows, uint channels, int curve) {
    norm_sums<1>(parts, x, g, affine, rows, channels, curve);
}
extern "C" __global__ void norm_sums4(float *parts, const float *x, const float *g, const float *affine, uint rows, uint channels, int curve) {
    norm_sums<4>(parts, x, g, affine, rows, channels, curve);
}

// Adds the sums to the gradients of scale and shift, where they are wanted, and makes of them `constant` and `linear` of
// `norm_input`: (2, channels). Zeros where the statistics are not the batch's.
extern "C" __global__ void norm_finish(float *coefficients, float *of_scale, float *of_shift, const float *parts, const float *affine,
                                       uint splits, uint rows, uint channels, int by_batch) {
    uint channel = blockIdx.x * 32 + threadIdx.x;
    double of_g, of_gx;
    join_two(of_g, of_gx, parts, splits, channels, channel);
    if (threadIdx.y != 0 || channel >= channels) return;
    if (of_shift) of_shift[channel] += (float)of_g;
    if (of_scale) of_scale[channel] += (float)of_gx;
    double factor = affine[2 * channels + channel], inverse = affine[channels + channel];
    coefficients[channel] = by_batch ? (float)(factor * of_g / rows) : 0.0f;
    coefficients[channels + channel] = by_batch ? (float)(factor * inverse * of_gx / rows) : 0.0f;
}

// `to = (to if add) + factor * g * slope - (constant + (x - mean) * linear)`; without `x`, `factor * g`.
template <int V> __device__ void norm_input(float *to, const float *x, const float *g, const float *affine, const float *coefficients,
                                            uint rows, uint channels, int curve, int add) {
    uint channel = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    if (channel >= channels) return;
    Lane<V> mean, factor, shift, constant, linear, of_x, of_g, of_to;
    mean.load(affine + channel);
    factor.load(affine + 2 * channels + channel);
    shift.load(affine + 3 * channels + channel);
    constant.load(coefficients + channel);
    linear.load(coefficients + channels + channel);
#pragma unroll 4
    for (uint row = blockIdx.y * blockDim.y + threadIdx.y; row < rows; row += gridDim.y * blockDim.y) {
        size_t at = (size_t)row * channels + channel;
        of_g.load(g + at);
        if (x) of_x.load(x + at);
        if (add) of_to.load(to + at);
        for (int i = 0; i < V; i++) {
            float d = factor.v[i] * of_g.v[i];
            if (x) {
                float centred = of_x.v[i] - mean.v[i];
                d = factor.v[i] * (of_g.v[i] * slope(curve, centred * factor.v[i] + shift.v[i])) - (constant.v[i] + centred * linear.v[i]);
            }
            of_g.v[i] = add ? of_to.v[i] + d : d;
        }
        of_g.store(to + at);
    }
}
extern "C" __global__ void norm_input1(float *to, const float *x, const float *g, const float *affine, const float *coefficients, uint rows,
                                       uint channels, int curve, int add) {
    norm_input<1>(to, x, g, affine, coefficients, rows, channels, curve, add);
}
extern "C" __global__ void norm_input4(float *to, const float *x, const float *g, const float *affine, const float *coefficients, uint rows,
                                       uint channels, int curve, int add) {
    norm_input<4>(to, x, g, affine, coefficients, rows, channels, curve, add);
}
