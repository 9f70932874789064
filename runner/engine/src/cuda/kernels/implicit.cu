// Convolution as a product of matrices one of which is never laid out: tiles of it are gathered from the images into shared
// memory, and multiplied by tensor cores (m16n8k8, factors rounded to TF32). Three products of this kind:
//
//   FORWARD  y[pixel, o]        = sum over (tap, i)   x[pixel under tap, i] * w[tap, i, o]
//   INPUT    gx[pixel, i]       = sum over (tap, o)   gy[pixel whose tap it is, o] * w[tap, i, o]
//   WEIGHT   gw[(tap, i), o]    = sum over pixels     x[pixel under tap, i] * gy[pixel, o]
//
// EXACT takes each factor as a sum of two of TF32 and three products of them, and adds to sums that are rounded to the nearest
// (Ootomo and Yokota 2022): as exact as arithmetic in 32 bits, and faster than that. Channels are multiples of 4.
#include "common.cuh"
#include "geometry.cuh"

namespace implicit {

enum Mode { FORWARD, INPUT, WEIGHT };

const int ROWS = 128, DEPTH = 32, THREADS = 256, STAGES = 3;
// Values from a row in shared memory to the next: so that the threads of a warp read from different banks.
const int BY_DEPTH = DEPTH + 4, BY_ROWS = ROWS + 8;

// Copies 16 bytes, or zeros.
__device__ __forceinline__ void fetch(float *to, const float *from, bool there) {
    uint place = (uint)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(place), "l"(from), "r"(there ? 16 : 0));
}
__device__ __forceinline__ uint rounded(float v) {
    uint r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
    return r;
}
__device__ __forceinline__ void multiply(float (&c)[4], const uint (&a)[4], const uint (&b)[2]) {
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// `n / d` for n up to `most`, by a multiplication: the factor, 0 where it would not be exact.
__device__ __forceinline__ uint factor_of(uint d, uint most) { return most < 0xffffffffu / d ? 0xffffffffu / d + 1 : 0; }
__device__ __forceinline__ uint quotient(uint n, uint d, uint factor) { return d == 1 ? n : factor ? __umulhi(n, factor) : n / d; }

template <int MODE, int COLUMNS, bool EXACT>
__device__ void product(float *out, const float *left, const float *right, const Geometry &g, int chunk, int add) {
    const int BY_COLUMNS = COLUMNS + 8;
    const int LEFT = MODE == WEIGHT ? DEPTH * BY_ROWS : ROWS * BY_DEPTH;
    const int RIGHT = MODE == INPUT ? COLUMNS * BY_DEPTH : DEPTH * BY_COLUMNS;
    // Warps lie 2 by 4 over 128 columns, 4 by 2 over 64; each has 32 columns.
    const int ACROSS = COLUMNS / 32, DOWN = 8 / ACROSS, WARP_ROWS = ROWS / DOWN, MT = WARP_ROWS / 16, NT = 4;
    extern __shared__ float4 space[];
    float *shared = reinterpret_cast<float *>(space);

    // With a stride, pixels of the input fall into classes, z, of which each is under some of the taps alone: those from
    // `tap0` on, `stride` apart. Where taps lie apart there is one class.
    int apart_h = MODE == INPUT && g.dilation_h == 1 ? g.stride_h : 1, apart_w = MODE == INPUT && g.dilation_w == 1 ? g.stride_w : 1;
    int class_h = MODE == INPUT ? blockIdx.z / apart_w : 0, class_w = MODE == INPUT ? blockIdx.z % apart_w : 0;
    int tap0_h = apart_h > 1 ? (class_h + g.top) % apart_h : 0, tap0_w = apart_w > 1 ? (class_w + g.left) % apart_w : 0;
    int taps_h = max(0, (g.kernel_h - tap0_h + apart_h - 1) / apart_h), taps_w = max(0, (g.kernel_w - tap0_w + apart_w - 1) / apart_w);
    // Height and width of what rows are the pixels of.
    int height = MODE == INPUT ? (g.height - class_h + apart_h - 1) / apart_h : g.out_height;
    int width = MODE == INPUT ? (g.width - class_w + apart_w - 1) / apart_w : g.out_width;

    int pixels = g.batch * height * width;
    int rows = MODE == WEIGHT ? g.kernel_h * g.kernel_w * g.channels : pixels;
    int columns = MODE == INPUT ? g.channels : g.outputs, inner = MODE == INPUT ? g.outputs : g.channels;
    int first = MODE == WEIGHT ? blockIdx.z * chunk : 0;
    int depth = MODE == WEIGHT ? min(pixels, first + chunk) : taps_h * taps_w * inner;
    if (blockIdx.y * ROWS >= rows) return;
    int row0 = blockIdx.y * ROWS, column0 = blockIdx.x * COLUMNS;
    int thread = threadIdx.x;

    // What a thread fetches of the left factor: 4 pieces of 4 values.
    const float *base[4];
    int at_h[4], at_w[4];
    bool there[4];
    int tap_h = 0, tap_w = 0, tap_c = 0;
    if (MODE == WEIGHT) {
        int row = row0 + thread % 32 * 4, tap = row / g.channels;
        tap_c = row - tap * g.channels;
        tap_h = tap / g.kernel_w * g.dilation_h - g.top, tap_w = tap % g.kernel_w * g.dilation_w - g.left;
        there[0] = row < rows;
    } else {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = row0 + thread / 8 + 32 * i;
            there[i] = row < rows;
            int line = row / width, w = row - line * width, image = line / height, h = line - image * height;
            if (!there[i]) image = 0;
            if (MODE == FORWARD) {
                base[i] = left + (size_t)image * g.height * g.width * g.channels;
                at_h[i] = h * g.stride_h - g.top, at_w[i] = w * g.stride_w - g.left;
            } else {
                base[i] = left + (size_t)image * g.out_height * g.out_width * g.outputs;
                at_h[i] = h * apart_h + class_h + g.top, at_w[i] = w * apart_w + class_w + g.left;
            }
        }
    }

    // The place of what a thread fetches next along the depth; tiles are fetched one after the other.
    int c = thread % 8 * 4, kh = tap0_h, kw = tap0_w;
    auto settle = [&] {
        while (c >= inner) {
            c -= inner;
            kw += apart_w;
            if (kw >= g.kernel_w) kw = tap0_w, kh += apart_h;
        }
    };
    if (MODE != WEIGHT) settle();
    uint by_width = factor_of(width, pixels), by_height = factor_of(height, pixels);

    auto fetch_tile = [&](int tile) {
        float *a = shared + (tile % STAGES) * (LEFT + RIGHT), *b = a + LEFT;
        int k0 = first + tile * DEPTH, k = k0 + thread % 8 * 4;
        if (MODE == WEIGHT) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int own = thread / 32 + 8 * i, pixel = k0 + own;
                int line = quotient(pixel, width, by_width), image = quotient(line, height, by_height);
                int h = (line - image * g.out_height) * g.stride_h + tap_h, w = (pixel - line * g.out_width) * g.stride_w + tap_w;
                bool ok = there[0] && pixel < depth && h >= 0 && h < g.height && w >= 0 && w < g.width;
                const float *from = left + (((size_t)image * g.height + h) * g.width + w) * g.channels + tap_c;
                fetch(a + own * BY_ROWS + thread % 32 * 4, ok ? from : left, ok);
            }
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                bool ok = there[i] && k < depth;
                const float *from;
                if (MODE == FORWARD) {
                    int h = at_h[i] + kh * g.dilation_h, w = at_w[i] + kw * g.dilation_w;
                    ok = ok && h >= 0 && h < g.height && w >= 0 && w < g.width;
                    from = base[i] + ((size_t)h * g.width + w) * g.channels + c;
                } else {
                    int h = at_h[i] - kh * g.dilation_h, w = at_w[i] - kw * g.dilation_w;
                    ok = ok && h >= 0 && w >= 0;
                    if (g.stride_h > 1) ok = ok && h % g.stride_h == 0, h /= g.stride_h;
                    if (g.stride_w > 1) ok = ok && w % g.stride_w == 0, w /= g.stride_w;
                    ok = ok && h < g.out_height && w < g.out_width;
                    from = base[i] + ((size_t)h * g.out_width + w) * g.outputs + c;
                }
                fetch(a + (thread / 8 + 32 * i) * BY_DEPTH + thread % 8 * 4, ok ? from : left, ok);
            }
        }
        if (MODE == INPUT) {
#pragma unroll
            for (int i = 0; i < COLUMNS / 32; i++) {
                int own = thread / 8 + 32 * i, n = column0 + own;
                bool ok = n < columns && k < depth;
                const float *from = right + ((size_t)(kh * g.kernel_w + kw) * g.channels + n) * g.outputs + c;
                fetch(b + own * BY_DEPTH + thread % 8 * 4, ok ? from : right, ok);
            }
        } else {
            const int PIECES = COLUMNS / 4, AT_ONCE = THREADS / PIECES;
#pragma unroll
            for (int i = 0; i < DEPTH / AT_ONCE; i++) {
                int own = thread / PIECES + AT_ONCE * i, n = column0 + thread % PIECES * 4;
                bool ok = n < columns && k0 + own < depth;
                const float *from = right + (size_t)(k0 + own) * g.outputs + n;
                fetch(b + own * BY_COLUMNS + thread % PIECES * 4, ok ? from : right, ok);
            }
        }
        if (MODE != WEIGHT) {
            c += DEPTH;
            settle();
        }
    };
    auto close_stage = [] { asm volatile("cp.async.commit_group;\n" ::); };

    int warp = thread / 32, lane = thread % 32, group = lane / 4, own = lane % 4;
    int warp_row = warp / ACROSS * WARP_ROWS, warp_column = warp % ACROSS * 32;
    float sums[MT][NT][4] = {};

    int tiles = depth > first ? (depth - first + DEPTH - 1) / DEPTH : 0;
    for (int tile = 0; tile < STAGES - 1; tile++) {
        if (tile < tiles) fetch_tile(tile);
        close_stage();
    }
    for (int tile = 0; tile < tiles; tile++) {
        asm volatile("cp.async.wait_group %0;\n" ::"n"(STAGES - 2));
        __syncthreads();
        if (tile + STAGES - 1 < tiles) fetch_tile(tile + STAGES - 1);
        close_stage();
        const float *a = shared + (tile % STAGES) * (LEFT + RIGHT), *b = a + LEFT;
#pragma unroll
        for (int k = 0; k < DEPTH; k += 8) {
            uint fa[MT][4], fb[NT][2], la[EXACT ? MT : 1][4], lb[EXACT ? NT : 1][2];
#pragma unroll
            for (int m = 0; m < MT; m++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    int row = warp_row + m * 16 + group + i % 2 * 8, depth_at = k + own + i / 2 * 4;
                    float v = MODE == WEIGHT ? a[depth_at * BY_ROWS + row] : a[row * BY_DEPTH + depth_at];
                    fa[m][i] = rounded(v);
                    if (EXACT) la[m][i] = rounded(v - __uint_as_float(fa[m][i]));
                }
#pragma unroll
            for (int n = 0; n < NT; n++)
#pragma unroll
                for (int i = 0; i < 2; i++) {
                    int column = warp_column + n * 8 + group, depth_at = k + own + i * 4;
                    float v = MODE == INPUT ? b[column * BY_DEPTH + depth_at] : b[depth_at * BY_COLUMNS + column];
                    fb[n][i] = rounded(v);
                    if (EXACT) lb[n][i] = rounded(v - __uint_as_float(fb[n][i]));
                }
#pragma unroll
            for (int m = 0; m < MT; m++)
#pragma unroll
                for (int n = 0; n < NT; n++) {
                    if (EXACT) {
                        // Tensor cores cut sums off: over many products that would be seen.
                        float few[4] = {};
                        multiply(few, la[m], fb[n]);
                        multiply(few, fa[m], lb[n]);
                        multiply(few, fa[m], fb[n]);
#pragma unroll
                        for (int i = 0; i < 4; i++) sums[m][n][i] += few[i];
                    } else {
                        multiply(sums[m][n], fa[m], fb[n]);
                    }
                }
        }
    }

    if (MODE == WEIGHT) out += (size_t)blockIdx.z * rows * columns;
#pragma unroll
    for (int m = 0; m < MT; m++)
#pragma unroll
        for (int n = 0; n < NT; n++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int row = row0 + warp_row + m * 16 + group + half * 8, column = column0 + warp_column + n * 8 + own * 2;
                if (row >= rows || column >= columns) continue;
                size_t place = row;
                if (MODE == INPUT && (apart_h > 1 || apart_w > 1)) {
                    int line = row / width, image = line / height;
                    int h = (line - image * height) * apart_h + class_h, w = (row - line * width) * apart_w + class_w;
                    place = ((size_t)image * g.height + h) * g.width + w;
                }
                float2 *to = reinterpret_cast<float2 *>(out + place * columns + column);
                float2 v = make_float2(sums[m][n][2 * half], sums[m][n][2 * half + 1]);
                if (add) {
                    float2 before = *to;
                    v.x += before.x, v.y += before.y;
                }
                *to = v;
            }
}

}  // namespace implicit

#define IMPLICIT(NAME, MODE, COLUMNS, EXACT) \
    extern "C" __global__ void __launch_bounds__(256, 2) \
        NAME(float *out, const float *left, const float *right, Geometry g, int chunk, int add) { \
        implicit::product<implicit::MODE, COLUMNS, EXACT>(out, left, right, g, chunk, add); \
    }

IMPLICIT(conv_forward128, FORWARD, 128, false)
IMPLICIT(conv_forward64, FORWARD, 64, false)
IMPLICIT(conv_forward64_exact, FORWARD, 64, true)
IMPLICIT(conv_input128, INPUT, 128, false)
IMPLICIT(conv_input64, INPUT, 64, false)
IMPLICIT(conv_input64_exact, INPUT, 64, true)
IMPLICIT(conv_weight128, WEIGHT, 128, false)
IMPLICIT(conv_weight64, WEIGHT, 64, false)
IMPLICIT(conv_weight64_exact, WEIGHT, 64, true)
