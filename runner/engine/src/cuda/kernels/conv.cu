// Convolution: pixels laid out as columns for products of matrices, and convolution of each channel alone.
#include "common.cuh"
#include "geometry.cuh"

template <int V> struct Vector;
template <> struct Vector<1> {
    typedef float type;
    static __device__ float zero() { return 0.0f; }
};
template <> struct Vector<4> {
    typedef float4 type;
    static __device__ float4 zero() { return make_float4(0.0f, 0.0f, 0.0f, 0.0f); }
};
__device__ __forceinline__ void add_to(float &a, float b) { a += b; }
__device__ __forceinline__ void add_to(float4 &a, float4 b) { a.x += b.x, a.y += b.y, a.z += b.z, a.w += b.w; }
__device__ __forceinline__ void fma_to(float &a, float b, float c) { a += b * c; }
__device__ __forceinline__ void fma_to(float4 &a, float4 b, float4 c) { a.x += b.x * c.x, a.y += b.y * c.y, a.z += b.z * c.z, a.w += b.w * c.w; }

// Columns of output pixels from `first` on: to[row, tap * inputs + i], `width` values a row, zeros where there is no pixel and
// beyond the taps. `inputs` channels of a pixel are taken, from `channel` on.
template <int V> __device__ void columns(float *to, const float *x, Geometry g, size_t first, size_t rows, int channel, int inputs, int width) {
    typedef typename Vector<V>::type T;
    int taps = g.kernel_h * g.kernel_w, of_row = width / V;
    EACH_OF_FEWER(i, rows * of_row) {
        uint row = i / of_row;
        int at = (int)(i - row * of_row) * V;
        int tap = at / inputs, c = at - tap * inputs;
        uint pixel = (uint)first + row, line = pixel / g.out_width;
        int column = pixel - line * g.out_width, out_row = line % g.out_height;
        size_t image = line / g.out_height;
        int h = out_row * g.stride_h - g.top + tap / g.kernel_w * g.dilation_h;
        int w = column * g.stride_w - g.left + tap % g.kernel_w * g.dilation_w;
        T v = Vector<V>::zero();
        if (tap < taps && h >= 0 && h < g.height && w >= 0 && w < g.width)
            v = *reinterpret_cast<const T *>(x + ((image * g.height + h) * g.width + w) * g.channels + channel + c);
        *reinterpret_cast<T *>(to + (size_t)i * V) = v;
    }
}
extern "C" __global__ void columns1(float *to, const float *x, Geometry g, size_t first, size_t rows, int channel, int inputs, int width) {
    columns<1>(to, x, g, first, rows, channel, inputs, width);
}
extern "C" __global__ void columns4(float *to, const float *x, Geometry g, size_t first, size_t rows, int channel, int inputs, int width) {
    columns<4>(to, x, g, first, rows, channel, inputs, width);
}

// The way back, for `images` images from `image` on: each pixel of the input gathers what it went to.
template <int V> __device__ void pixels(float *to, const float *from, Geometry g, int image, int images, int channel, int inputs, int width, int add) {
    typedef typename Vector<V>::type T;
    int of_pixel = inputs / V;
    EACH_OF_FEWER(i, (size_t)images * g.height * g.width * of_pixel) {
        uint pixel = i / of_pixel, line = pixel / g.width;
        int c = (int)(i - pixel * of_pixel) * V;
        int w = pixel - line * g.width, h = line % g.height;
        size_t own = line / g.height;
        T sum = Vector<V>::zero();
        for (int kh = 0; kh < g.kernel_h; kh++) {
            int row = h + g.top - kh * g.dilation_h;
            if (row < 0 || row % g.stride_h != 0 || (row /= g.stride_h) >= g.out_height) continue;
            for (int kw = 0; kw < g.kernel_w; kw++) {
                int column = w + g.left - kw * g.dilation_w;
                if (column < 0 || column % g.stride_w != 0 || (column /= g.stride_w) >= g.out_width) continue;
                size_t at = ((own * g.out_height + row) * g.out_width + column) * width + (kh * g.kernel_w + kw) * inputs + c;
                add_to(sum, *reinterpret_cast<const T *>(from + at));
            }
        }
        T *place = reinterpret_cast<T *>(to + (((size_t)image * g.height * g.width) + pixel) * g.channels + channel + c);
        if (add) add_to(sum, *place);
        *place = sum;
    }
}
extern "C" __global__ void pixels1(float *to, const float *from, Geometry g, int image, int images, int channel, int inputs, int width, int add) {
    pixels<1>(to, from, g, image, images, channel, inputs, width, add);
}
extern "C" __global__ void pixels4(float *to, const float *from, Geometry g, int image, int images, int channel, int inputs, int width, int add) {
    pixels<4>(to, from, g, image, images, channel, inputs, width, add);
}

template <int V> __device__ void depthwise(float *y, const float *x, const float *weight, Geometry g) {
    typedef typename Vector<V>::type T;
    int lanes = g.channels / V;
    EACH_OF_FEWER(i, (size_t)g.batch * g.out_height * g.out_width * lanes) {
        uint pixel = i / lanes, line = pixel / g.out_width;
        int c = (int)(i - pixel * lanes) * V;
        int column = pixel - line * g.out_width, row = line % g.out_height;
        size_t image = line / g.out_height;
        T sum = Vector<V>::zero();
        for (int kh = 0; kh < g.kernel_h; kh++) {
            int h = row * g.stride_h - g.top + kh * g.dilation_h;
            if (h < 0 || h >= g.height) continue;
            for (int kw = 0; kw < g.kernel_w; kw++) {
                int w = column * g.stride_w - g.left + kw * g.dilation_w;
                if (w < 0 || w >= g.width) continue;
                fma_to(sum, *reinterpret_cast<const T *>(x + ((image * g.height + h) * g.width + w) * g.channels + c),
                       *reinterpret_cast<const T *>(weight + (size_t)(kh * g.kernel_w + kw) * g.channels + c));
            }
        }
        *reinterpret_cast<T *>(y + (size_t)i * V) = sum;
    }
}
extern "C" __global__ void depthwise1(float *y, const float *x, const float *weight, Geometry g) { depthwise<1>(y, x, weight, g); }
extern "C" __global__ void depthwise4(float *y, const float *x, const float *weight, Geometry g) { depthwise<4>(y, x, weight, g); }

template <int V> __device__ void depthwise_input(float *to, const float *gy, const float *weight, Geometry g, int add) {
    typedef typename Vector<V>::type T;
    int lanes = g.channels / V;
    EACH_OF_FEWER(i, (size_t)g.batch * g.height * g.width * lanes) {
        uint pixel = i / lanes, line = pixel / g.width;
        int c = (int)(i - pixel * lanes) * V;
        int w = pixel - line * g.width, h = line % g.height;
        size_t image = line / g.height;
        T sum = Vector<V>::zero();
        for (int kh = 0; kh < g.kernel_h; kh++) {
            int row = h + g.top - kh * g.dilation_h;
            if (row < 0 || row % g.stride_h != 0 || (row /= g.stride_h) >= g.out_height) continue;
            for (int kw = 0; kw < g.kernel_w; kw++) {
                int column = w + g.left - kw * g.dilation_w;
                if (column < 0 || column % g.stride_w != 0 || (column /= g.stride_w) >= g.out_width) continue;
                fma_to(sum, *reinterpret_cast<const T *>(gy + ((image * g.out_height + row) * g.out_width + column) * g.channels + c),
                       *reinterpret_cast<const T *>(weight + (size_t)(kh * g.kernel_w + kw) * g.channels + c));
            }
        }
        T *place = reinterpret_cast<T *>(to + (size_t)i * V);
        if (add) add_to(sum, *place);
        *place = sum;
    }
}
extern "C" __global__ void depthwise_input1(float *to, const float *gy, const float *weight, Geometry g, int add) {
    depthwise_input<1>(to, gy, weight, g, add);
}
extern "C" __global__ void depthwise_input4(float *to, const float *gy, const float *weight, Geometry g, int add) {
    depthwise_input<4>(to, gy, weight, g, add);
}

// The gradient of the weights, in parts: x: lanes of channels, y: parts, z: taps. A block of lanes by output pixels.
// parts: (parts, taps, channels).
template <int V> __device__ void depthwise_weight(float *parts, const float *x, const float *gy, Geometry g) {
    typedef typename Vector<V>::type T;
    extern __shared__ float4 space[];
    T *shared = reinterpret_cast<T *>(space);
    int c = (blockIdx.x * blockDim.x + threadIdx.x) * V;
    int tap = blockIdx.z, kh = tap / g.kernel_w, kw = tap % g.kernel_w;
    T sum = Vector<V>::zero();
    if (c < g.channels) {
        uint rows = (uint)g.batch * g.out_height * g.out_width;
#pragma unroll 2
        for (uint pixel = blockIdx.y * blockDim.y + threadIdx.y; pixel < rows; pixel += gridDim.y * blockDim.y) {
            int column = pixel % g.out_width, row = pixel / g.out_width % g.out_height;
            size_t image = pixel / g.out_width / g.out_height;
            int h = row * g.stride_h - g.top + kh * g.dilation_h, w = column * g.stride_w - g.left + kw * g.dilation_w;
            if (h < 0 || h >= g.height || w < 0 || w >= g.width) continue;
            fma_to(sum, *reinterpret_cast<const T *>(x + ((image * g.height + h) * g.width + w) * g.channels + c),
                   *reinterpret_cast<const T *>(gy + (size_t)pixel * g.channels + c));
        }
    }
    T *own = shared + threadIdx.y * blockDim.x + threadIdx.x;
    *own = sum;
    __syncthreads();
    for (uint step = blockDim.y / 2; step > 0; step /= 2) {
        if (threadIdx.y < step) add_to(*own, own[step * blockDim.x]);
        __syncthreads();
    }
    if (threadIdx.y == 0 && c < g.channels)
        *reinterpret_cast<T *>(parts + ((size_t)blockIdx.y * gridDim.z + tap) * g.channels + c) = *own;
}
extern "C" __global__ void depthwise_weight1(float *parts, const float *x, const float *gy, Geometry g) { depthwise_weight<1>(parts, x, gy, g); }
extern "C" __global__ void depthwise_weight4(float *parts, const float *x, const float *gy, Geometry g) { depthwise_weight<4>(parts, x, gy, g); }
