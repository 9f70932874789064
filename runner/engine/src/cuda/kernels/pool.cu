// Pooling, and images brought to a multiple of their size. Gradients are gathered: each pixel of the input looks for what it went to.
#include "common.cuh"
#include "geometry.cuh"

// The values of some channels of a pixel, and the taps that had them.
template <int V> struct Some {
    float v[V];
    unsigned short taps[V];
};

// The largest value of each window and the tap that had it: the first of equal ones. NaN wins. V channels at once.
template <int V> __device__ void max_pool(float *y, unsigned short *taps, const float *x, Geometry g) {
    int lanes = g.channels / V;
    EACH_OF_FEWER(i, (size_t)g.batch * g.out_height * g.out_width * lanes) {
        uint pixel = i / lanes, line = pixel / g.out_width;
        int c = (int)(i - pixel * lanes) * V;
        int column = pixel - line * g.out_width, row = line % g.out_height;
        size_t image = line / g.out_height;
        Some<V> best;
        bool first = true;
        for (int kh = 0; kh < g.kernel_h; kh++) {
            int h = row * g.stride_h - g.top + kh * g.dilation_h;
            if (h < 0 || h >= g.height) continue;
            for (int kw = 0; kw < g.kernel_w; kw++) {
                int w = column * g.stride_w - g.left + kw * g.dilation_w;
                if (w < 0 || w >= g.width) continue;
                const float *from = x + ((image * g.height + h) * g.width + w) * g.channels + c;
                float4 four;
                if (V == 4) four = load4(from);
                for (int j = 0; j < V; j++) {
                    float v = V == 4 ? (&four.x)[j] : *from;
                    if (first || v > best.v[j] || (v != v && best.v[j] == best.v[j])) {
                        best.v[j] = v;
                        best.taps[j] = (unsigned short)(kh * g.kernel_w + kw);
                    }
                }
                first = false;
            }
        }
        for (int j = 0; j < V; j++) y[(size_t)i * V + j] = best.v[j];
        if (taps)
            for (int j = 0; j < V; j++) taps[(size_t)i * V + j] = best.taps[j];
    }
}
extern "C" __global__ void max_pool1(float *y, unsigned short *taps, const float *x, Geometry g) { max_pool<1>(y, taps, x, g); }
extern "C" __global__ void max_pool4(float *y, unsigned short *taps, const float *x, Geometry g) { max_pool<4>(y, taps, x, g); }

template <int V> __device__ void max_pool_input(float *to, const float *gy, const unsigned short *taps, Geometry g, int add) {
    int lanes = g.channels / V;
    EACH_OF_FEWER(i, (size_t)g.batch * g.height * g.width * lanes) {
        uint pixel = i / lanes, line = pixel / g.width;
        int c = (int)(i - pixel * lanes) * V;
        int w = pixel - line * g.width, h = line % g.height;
        size_t image = line / g.height;
        float sums[V] = {};
        for (int kh = 0; kh < g.kernel_h; kh++) {
            int row = h + g.top - kh * g.dilation_h;
            if (row < 0 || row % g.stride_h != 0 || (row /= g.stride_h) >= g.out_height) continue;
            for (int kw = 0; kw < g.kernel_w; kw++) {
                int column = w + g.left - kw * g.dilation_w;
                if (column < 0 || column % g.stride_w != 0 || (column /= g.stride_w) >= g.out_width) continue;
                size_t at = ((image * g.out_height + row) * g.out_width + column) * g.channels + c;
                ushort4 of_taps;
                float4 of_gy;
                if (V == 4) of_taps = *reinterpret_cast<const ushort4 *>(taps + at), of_gy = load4(gy + at);
                for (int j = 0; j < V; j++)
                    if ((V == 4 ? (&of_taps.x)[j] : taps[at]) == kh * g.kernel_w + kw) sums[j] += V == 4 ? (&of_gy.x)[j] : gy[at];
            }
        }
        for (int j = 0; j < V; j++) {
            float *place = to + (size_t)i * V + j;
            *place = add ? *place + sums[j] : sums[j];
        }
    }
}
extern "C" __global__ void max_pool_input1(float *to, const float *gy, const unsigned short *taps, Geometry g, int add) {
    max_pool_input<1>(to, gy, taps, g, add);
}
extern "C" __global__ void max_pool_input4(float *to, const float *gy, const unsigned short *taps, Geometry g, int add) {
    max_pool_input<4>(to, gy, taps, g, add);
}

// Cells of an image: along an axis, each has `count` coordinates from `first` on, `step` apart. axis: (first, count) of each cell.
struct Cells {
    int batch, height, width, channels, rows, columns, step_h, step_w, divisor;
};

__device__ float cell_factor(const Cells &g, const int *rows, const int *columns, int row, int column) {
    int count = g.divisor > 0 ? g.divisor : rows[2 * row + 1] * columns[2 * column + 1];
    return 1.0f / (count > 1 ? count : 1);
}

extern "C" __global__ void mean_cells(float *y, const float *x, const int *rows, const int *columns, Cells g) {
    size_t n = (size_t)g.batch * g.rows * g.columns * g.channels;
    EACH_OF_FEWER(i, n) {
        int c = i % g.channels;
        uint cell = i / g.channels;
        int column = cell % g.columns, row = cell / g.columns % g.rows;
        const float *image = x + (size_t)(cell / g.columns / g.rows) * g.height * g.width * g.channels + c;
        float sum = 0.0f;
        for (int a = 0; a < rows[2 * row + 1]; a++) {
            int h = rows[2 * row] + a * g.step_h;
            float of_line = 0.0f;
            for (int b = 0; b < columns[2 * column + 1]; b++)
                of_line += image[((size_t)h * g.width + columns[2 * column] + b * g.step_w) * g.channels];
            sum += of_line;
        }
        y[i] = sum * cell_factor(g, rows, columns, row, column);
    }
}

// Whether a coordinate is in a cell.
__device__ bool within(const int *cell, int step, int at) {
    int off = at - cell[0];
    return off >= 0 && off % step == 0 && off / step < cell[1];
}

// reach: of each row, then of each column of the input, the first cell that has it and one past the last.
extern "C" __global__ void mean_cells_input(float *to, const float *gy, const int *rows, const int *columns, const int *reach, Cells g, int add) {
    size_t n = (size_t)g.batch * g.height * g.width * g.channels;
    EACH_OF_FEWER(i, n) {
        int c = i % g.channels;
        uint pixel = i / g.channels;
        int w = pixel % g.width, h = pixel / g.width % g.height;
        const float *image = gy + (size_t)(pixel / g.width / g.height) * g.rows * g.columns * g.channels + c;
        const int *of_h = reach + 2 * h, *of_w = reach + 2 * (g.height + w);
        float sum = 0.0f;
        for (int row = of_h[0]; row < of_h[1]; row++) {
            if (!within(rows + 2 * row, g.step_h, h)) continue;
            for (int column = of_w[0]; column < of_w[1]; column++)
                if (within(columns + 2 * column, g.step_w, w))
                    sum += image[((size_t)row * g.columns + column) * g.channels] * cell_factor(g, rows, columns, row, column);
        }
        to[i] = add ? to[i] + sum : sum;
    }
}

// Along an axis of the output: two coordinates of the input, and their weights.
struct Pair {
    int first, second;
    float of_first, of_second;
};

struct Enlarged {
    int batch, height, width, channels, factor_h, factor_w;
};

extern "C" __global__ void upsample(float *y, const float *x, const Pair *rows, const Pair *columns, Enlarged g) {
    int out_height = g.height * g.factor_h, out_width = g.width * g.factor_w;
    size_t n = (size_t)g.batch * out_height * out_width * g.channels;
    EACH_OF_FEWER(i, n) {
        int c = i % g.channels;
        uint pixel = i / g.channels;
        Pair column = columns[pixel % out_width], row = rows[pixel / out_width % out_height];
        const float *image = x + (size_t)(pixel / out_width / out_height) * g.height * g.width * g.channels + c;
        float sum = 0.0f;
        for (int a = 0; a < 2; a++) {
            float of_row = a ? row.of_second : row.of_first;
            if (of_row == 0.0f) continue;
            const float *line = image + (size_t)(a ? row.second : row.first) * g.width * g.channels;
            if (column.of_first != 0.0f) sum += of_row * column.of_first * line[(size_t)column.first * g.channels];
            if (column.of_second != 0.0f) sum += of_row * column.of_second * line[(size_t)column.second * g.channels];
        }
        y[i] = sum;
    }
}

__device__ float share(const Pair &pair, int at) {
    return (pair.first == at ? pair.of_first : 0.0f) + (pair.second == at ? pair.of_second : 0.0f);
}

extern "C" __global__ void upsample_input(float *to, const float *gy, const Pair *rows, const Pair *columns, Enlarged g, int add) {
    int out_height = g.height * g.factor_h, out_width = g.width * g.factor_w;
    size_t n = (size_t)g.batch * g.height * g.width * g.channels;
    EACH_OF_FEWER(i, n) {
        int c = i % g.channels;
        uint pixel = i / g.channels;
        int w = pixel % g.width, h = pixel / g.width % g.height;
        const float *image = gy + (size_t)(pixel / g.width / g.height) * out_height * out_width * g.channels + c;
        float sum = 0.0f;
        for (int row = max(0, (h - 1) * g.factor_h); row < min(out_height, (h + 2) * g.factor_h); row++) {
            float of_row = share(rows[row], h);
            if (of_row == 0.0f) continue;
            for (int column = max(0, (w - 1) * g.factor_w); column < min(out_width, (w + 2) * g.factor_w); column++) {
                float of_column = share(columns[column], w);
                if (of_column != 0.0f) sum += of_row * of_column * image[((size_t)row * out_width + column) * g.channels];
            }
        }
        to[i] = add ? to[i] + sum : sum;
    }
}
