/* The kernels of swish.c for NVIDIA GPUs. */

#include "swish.h"

/* Threads of a block: those of channels side by side, and of places. */
#define CHANNELS 32
#define PLACES 8

static __device__ float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

static __global__ void forward(swish_pass pass) {
    const int64_t count = pass.batch * pass.places * pass.channels;
    const int64_t step = (int64_t)gridDim.x * blockDim.x;
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < count; i += step) {
        const float x = pass.x[i];
        pass.y[i] = x * sigmoid(pass.beta[i % pass.channels] * x);
    }
}

/* A block goes over some channels of a sample, and over more samples where there are more than blocks. */
static __global__ void backward(swish_pass pass) {
    __shared__ float parts[PLACES][CHANNELS];
    const int64_t c = (int64_t)blockIdx.x * CHANNELS + threadIdx.x;
    for (int64_t sample = blockIdx.y; sample < pass.batch; sample += gridDim.y) {
        float sum = 0.0f;
        for (int64_t place = threadIdx.y; c < pass.channels && place < pass.places; place += PLACES) {
            const int64_t i = (sample * pass.places + place) * pass.channels + c;
            const float x = pass.x[i], dy = pass.dy[i], beta = pass.beta[c];
            const float s = sigmoid(beta * x), slope = s * (1.0f - s);
            sum += dy * x * x * slope;
            if (pass.dx != nullptr) {
                pass.dx[i] += dy * (s + beta * x * slope);
            }
        }
        parts[threadIdx.y][threadIdx.x] = sum;
        __syncthreads();
        if (threadIdx.y == 0 && c < pass.channels) {
            double all = 0.0;
            for (int part = 0; part < PLACES; part++) {
                all += parts[part][threadIdx.x];
            }
            pass.sums[sample * pass.channels + c] = all;
        }
        __syncthreads();
    }
}

/* Adds the sums of all samples, from the first of them on. */
static __global__ void add_sums(swish_pass pass) {
    const int64_t c = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
    if (c >= pass.channels) {
        return;
    }
    double sum = 0.0;
    for (int64_t sample = 0; sample < pass.batch; sample++) {
        sum += pass.sums[sample * pass.channels + c];
    }
    pass.dbeta[c] += (float)sum;
}

/* Blocks for so many, each of which takes some; at most so many. */
static unsigned blocks(int64_t count, int64_t of_each, int64_t most) {
    const int64_t all = (count + of_each - 1) / of_each;
    return (unsigned)(all < most ? all : most);
}

/* What the launches before it complained of, or NULL. */
static const char *complaint(void) {
    const cudaError_t error = cudaGetLastError();
    return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

const char *swish_forward_on_gpu(const swish_pass *pass, void *stream) {
    const int64_t count = pass->batch * pass->places * pass->channels;
    if (count == 0) {
        return nullptr;
    }
    forward<<<blocks(count, 256, 1 << 16), 256, 0, (cudaStream_t)stream>>>(*pass);
    return complaint();
}

const char *swish_backward_on_gpu(const swish_pass *pass, void *stream) {
    if (pass->batch * pass->places * pass->channels == 0) {
        return nullptr;
    }
    const dim3 grid(blocks(pass->channels, CHANNELS, INT32_MAX), blocks(pass->batch, 1, 65535));
    backward<<<grid, dim3(CHANNELS, PLACES), 0, (cudaStream_t)stream>>>(*pass);
    if (pass->dbeta != nullptr) {
        add_sums<<<blocks(pass->channels, 256, INT32_MAX), 256, 0, (cudaStream_t)stream>>>(*pass);
    }
    return complaint();
}
