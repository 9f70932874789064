// Activations, sums, products with broadcast factors, biases and joins.
#include "common.cuh"

extern "C" __global__ void activate(float *y, const float *x, size_t n, int curve) {
    EACH_FOUR(i, n) {
        if (i + 4 <= n) {
            float4 v = load4(x + i);
            store4(y + i, make_float4(value(curve, v.x), value(curve, v.y), value(curve, v.z), value(curve, v.w)));
        } else {
            for (size_t j = i; j < n; j++) y[j] = value(curve, x[j]);
        }
    }
}

// `to = (to if add) + g * slope(z)`; `z` and `b`, if there is one, are added before.
extern "C" __global__ void steepen(float *to, const float *g, const float *z, const float *b, size_t n, int curve, int add) {
    EACH_FOUR(i, n) {
        if (i + 4 <= n) {
            float4 v = load4(z + i), d = load4(g + i);
            if (b) {
                float4 w = load4(b + i);
                v.x += w.x, v.y += w.y, v.z += w.z, v.w += w.w;
            }
            d.x *= slope(curve, v.x), d.y *= slope(curve, v.y), d.z *= slope(curve, v.z), d.w *= slope(curve, v.w);
            if (add) {
                float4 t = load4(to + i);
                d.x += t.x, d.y += t.y, d.z += t.z, d.w += t.w;
            }
            store4(to + i, d);
        } else {
            for (size_t j = i; j < n; j++) {
                float d = g[j] * slope(curve, z[j] + (b ? b[j] : 0.0f));
                to[j] = add ? to[j] + d : d;
            }
        }
    }
}

extern "C" __global__ void add_activate(float *y, const float *a, const float *b, size_t n, int curve) {
    EACH_FOUR(i, n) {
        if (i + 4 <= n) {
            float4 v = load4(a + i), w = load4(b + i);
            store4(y + i, make_float4(value(curve, v.x + w.x), value(curve, v.y + w.y), value(curve, v.z + w.z),
                                      value(curve, v.w + w.w)));
        } else {
            for (size_t j = i; j < n; j++) y[j] = value(curve, a[j] + b[j]);
        }
    }
}

// `y = a * of_a + b * of_b`, where `b` may be `y`.
extern "C" __global__ void blend(float *y, const float *a, float of_a, const float *b, float of_b, size_t n) {
    EACH_FOUR(i, n) {
        if (i + 4 <= n) {
            float4 v = load4(a + i), w = load4(b + i);
            store4(y + i, make_float4(v.x * of_a + w.x * of_b, v.y * of_a + w.y * of_b, v.z * of_a + w.z * of_b,
                                      v.w * of_a + w.w * of_b));
        } else {
            for (size_t j = i; j < n; j++) y[j] = a[j] * of_a + b[j] * of_b;
        }
    }
}

// Samples of `pixels` times `channels` values: `to = (to if add) + from * factor[sample, channel]`.
extern "C" __global__ void scale(float *to, const float *from, const float *factor, size_t n, uint sample, uint channels, int add) {
    EACH_OF_FEWER(i, n) {
        float d = from[i] * factor[i / sample * channels + i % channels];
        to[i] = add ? to[i] + d : d;
    }
}

// `to += a * b`, elementwise.
extern "C" __global__ void multiply_add(float *to, const float *a, const float *b, size_t n) {
    EACH(i, n) to[i] += a[i] * b[i];
}

// Adds to `of_factor[sample, channel]` the sum over pixels of `x * g`. A block of 32 channels by 8 pixels; x: channels,
// y: samples.
extern "C" __global__ void factor_gradient(float *of_factor, const float *x, const float *g, uint pixels, uint channels) {
    __shared__ double parts[8][33];
    uint channel = blockIdx.x * 32 + threadIdx.x;
    size_t begin = (size_t)blockIdx.y * pixels * channels;
    double sum = 0.0;
    if (channel < channels)
        for (uint pixel = threadIdx.y; pixel < pixels; pixel += 8) {
            size_t at = begin + (size_t)pixel * channels + channel;
            sum += (double)x[at] * g[at];
        }
    parts[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && channel < channels) {
        for (int i = 1; i < 8; i++) sum += parts[i][threadIdx.x];
        of_factor[(size_t)blockIdx.y * channels + channel] += (float)sum;
    }
}

// The same for one channel: a block a sample.
extern "C" __global__ void sample_gradient(float *of_factor, const float *x, const float *g, uint pixels) {
    size_t begin = (size_t)blockIdx.x * pixels;
    double sum = 0.0;
    for (uint pixel = threadIdx.x; pixel < pixels; pixel += blockDim.x) sum += (double)x[begin + pixel] * g[begin + pixel];
    sum = block_sum(sum);
    if (threadIdx.x == 0) of_factor[blockIdx.x] += (float)sum;
}

extern "C" __global__ void add_bias(float *y, const float *x, const float *bias, size_t n, uint columns) {
    EACH_OF_FEWER(i, n) y[i] = x[i] + bias[i % columns];
}

// Sums of columns of (rows, columns), in parts: those of every `gridDim.y`th group of 8 rows. A block of 32 columns by 8
// rows.
extern "C" __global__ void column_sums(double *parts, const float *x, uint rows, uint columns) {
    __shared__ double shared[8][33];
    uint column = blockIdx.x * 32 + threadIdx.x;
    double sum = 0.0;
    if (column < columns)
        for (uint row = blockIdx.y * 8 + threadIdx.y; row < rows; row += gridDim.y * 8) sum += x[(size_t)row * columns + column];
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && column < columns) {
        for (int i = 1; i < 8; i++) sum += shared[i][threadIdx.x];
        parts[(size_t)blockIdx.y * columns + column] = sum;
    }
}

// `to += sum of the parts`.
extern "C" __global__ void add_parts(float *to, const double *parts, uint count, uint columns) {
    EACH(column, columns) {
        double sum = 0.0;
        for (uint part = 0; part < count; part++) sum += parts[(size_t)part * columns + column];
        to[column] += (float)sum;
    }
}

// The same for parts of `float`s; writes, or adds.
extern "C" __global__ void join_parts(float *to, const float *parts, uint count, size_t n, int add) {
    EACH(i, n) {
        float sum = add ? to[i] : 0.0f;
        for (uint part = 0; part < count; part++) sum += parts[(size_t)part * n + i];
        to[i] = sum;
    }
}

// Columns of a matrix to columns of another.
extern "C" __global__ void move_columns(float *to, uint to_width, uint to_begin, const float *from, uint from_width, uint from_begin,
                                        uint width, size_t n, int add) {
    EACH_OF_FEWER(i, n) {
        uint row = i / width, column = i - row * width;
        float v = from[(size_t)row * from_width + from_begin + column];
        size_t at = (size_t)row * to_width + to_begin + column;
        to[at] = add ? to[at] + v : v;
    }
}

// Rows of `wide` values: those of rows of `width`, then zeros.
extern "C" __global__ void widen(float *to, const float *from, size_t n, uint width, uint wide) {
    EACH_OF_FEWER(i, n) {
        uint row = i / wide, at = i - row * wide;
        to[i] = at < width ? from[(size_t)row * width + at] : 0.0f;
    }
}
