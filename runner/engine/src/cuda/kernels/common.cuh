// What the kernels share: the activations, and how work is spread over threads.
//
// Nothing is added by atomic operations: sums are taken in an order that depends on sizes alone, so that a run that
// is resumed gives the numbers of one that was not interrupted.
#pragma once

typedef unsigned int uint;

// As `curve::number` in activation.rs has them.
enum Curve { IDENTITY = 0, RELU = 1, RELU6 = 2, SILU = 3, SIGMOID = 4, HARDSWISH = 5 };

__device__ __forceinline__ float sigmoid(float z) { return 1.0f / (1.0f + expf(-z)); }

// Written so that NaN stays NaN.
__device__ __forceinline__ float relu6(float z) {
    float low = z <= 0.0f ? 0.0f : z;
    return low >= 6.0f ? 6.0f : low;
}

__device__ __forceinline__ float value(int curve, float z) {
    switch (curve) {
    case RELU: return z <= 0.0f ? 0.0f : z;
    case RELU6: return relu6(z);
    case SILU: return z * sigmoid(z);
    case SIGMOID: return sigmoid(z);
    case HARDSWISH: return z * relu6(z + 3.0f) * (1.0f / 6.0f);
    default: return z;
    }
}

// The derivative; at a corner, torch's choice.
__device__ __forceinline__ float slope(int curve, float z) {
    switch (curve) {
    case RELU: return z <= 0.0f ? 0.0f : 1.0f;
    case RELU6: return z <= 0.0f || z >= 6.0f ? 0.0f : 1.0f;
    case SILU: {
        float s = sigmoid(z);
        return s * (1.0f + z * (1.0f - s));
    }
    case SIGMOID: {
        float s = sigmoid(z);
        return s * (1.0f - s);
    }
    case HARDSWISH: return z <= -3.0f ? 0.0f : z >= 3.0f ? 1.0f : z * (1.0f / 3.0f) + 0.5f;
    default: return 1.0f;
    }
}

// Visits 0..n, four at a time where all of a four is within, then the rest one by one.
#define EACH_FOUR(i, n) \
    for (size_t i = (size_t)(blockIdx.x * (size_t)blockDim.x + threadIdx.x) * 4; i < (n); i += (size_t)gridDim.x * blockDim.x * 4)
#define EACH(i, n) \
    for (size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (size_t)gridDim.x * blockDim.x)

// The same for less than 2^31 values, whose places are taken apart by divisions: these are several times as fast in 32 bits.
#define EACH_OF_FEWER(i, n) for (uint i = blockIdx.x * blockDim.x + threadIdx.x; i < (uint)(n); i += gridDim.x * blockDim.x)

__device__ __forceinline__ float4 load4(const float *from) { return *reinterpret_cast<const float4 *>(from); }
__device__ __forceinline__ void store4(float *to, float4 v) { *reinterpret_cast<float4 *>(to) = v; }

// The sum over a block of up to 1024 threads, in the first of them.
__device__ __forceinline__ double block_sum(double sum) {
    __shared__ double parts[32];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, warps = (blockDim.x + 31) / 32;
    if (lane == 0) parts[warp] = sum;
    __syncthreads();
    sum = threadIdx.x < warps ? parts[threadIdx.x] : 0.0;
    if (warp == 0)
        for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
    __syncthreads();
    return sum;
}
