/**
 * @file runner_plugin.h
 * @brief The interface between `runner` and a plugin: a shared library that brings layers.
 *
 * A plugin needs this header alone. It exports one symbol, ::runner_plugin, which is given the
 * host's table and returns the plugin's. Written in C99; C++ works too.
 *
 * Rules that hold everywhere:
 * - Every struct but DLPack's begins with its `size` in bytes, as its maker knew it. New members
 *   are only ever appended. Who reads a struct reads no further than its `size`.
 * - Functions return #RUNNER_OK, or another status after telling why by ::runner_host::fail.
 *   Nothing may unwind across the border: no C++ exception, no `longjmp`, no Rust panic.
 * - Every function must be safe to call from several threads at once on different instances; on one
 *   instance only if the layer has #RUNNER_LAYER_THREAD_SAFE.
 * - Texts are UTF-8. Those without a length end in a zero byte.
 * - What is given lives as long as the call, unless something else is said.
 * - Tensors are dense and contiguous, float32, rows outermost. Images are (N, H, W, C), channels
 *   last, and features (N, F), with N the samples of the batch.
 * - Tensors are on the CPU, unless a layer says that it takes them on a GPU: see #RUNNER_DEVICE_CUDA.
 */
#ifndef RUNNER_PLUGIN_H
#define RUNNER_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Changes of this number break plugins: a plugin of another major is refused. */
#define RUNNER_ABI_MAJOR 1
/** Changes of this number append: plugins and hosts of any minor go together. */
#define RUNNER_ABI_MINOR 1

/** Makes the plugin's one symbol visible. */
#if defined(_WIN32)
#define RUNNER_EXPORT __declspec(dllexport)
#elif defined(__GNUC__)
#define RUNNER_EXPORT __attribute__((visibility("default")))
#else
#define RUNNER_EXPORT
#endif

/* ---------------------------------------------------------------- DLPack */

#ifndef DLPACK_DLPACK_H_

/** A device as DLPack numbers it. */
typedef struct {
    int32_t device_type; /**< Where: ::kDLCPU, ::kDLCUDA. */
    int32_t device_id;   /**< Which one of them. */
} DLDevice;

/** A type of values as DLPack describes it. */
typedef struct {
    uint8_t code;   /**< ::kDLFloat in version 1. */
    uint8_t bits;   /**< 32 in version 1. */
    uint16_t lanes; /**< 1 in version 1. */
} DLDataType;

/** A tensor as DLPack describes it. */
typedef struct {
    void *data;           /**< The values; NULL where they are not kept (see #RUNNER_LAYER_FORGETS_INPUTS). */
    DLDevice device;      /**< Where they are: the CPU, or see #RUNNER_DEVICE_CUDA. */
    int32_t ndim;         /**< Dimensions. */
    DLDataType dtype;     /**< float32 in version 1. */
    int64_t *shape;       /**< `ndim` sizes. */
    int64_t *strides;     /**< NULL: contiguous, last dimension innermost. */
    uint64_t byte_offset; /**< Where the first value is, from `data`; 0 in version 1. */
} DLTensor;

enum {
    kDLCPU = 1, /**< Memory of the CPU. */
    kDLCUDA = 2 /**< Memory of an NVIDIA GPU. */
};
enum {
    kDLFloat = 2 /**< Floating point numbers. */
};

#endif

/* ---------------------------------------------------------------- shared words */

/** Whether a function did what it was asked to. */
typedef int32_t runner_status;

enum {
    RUNNER_OK = 0,    /**< It did. */
    RUNNER_ERROR = 1, /**< It did not; the reason was given to ::runner_host::fail. */
    RUNNER_PANIC = 2  /**< It panicked, and the panic was caught; the message was given likewise. */
};

enum {
    RUNNER_EVALUATION = 0, /**< Nothing is random, nothing is learned. */
    RUNNER_TRAINING = 1    /**< Random layers act. */
};

enum {
    RUNNER_LOG_ERROR = 1, /**< Something failed. */
    RUNNER_LOG_WARN = 2,  /**< Something a person should know. */
    RUNNER_LOG_INFO = 3,  /**< What is done. */
    RUNNER_LOG_DEBUG = 4  /**< Everything. */
};

/** The most dimensions of a shape. */
#define RUNNER_MAX_RANK 8

/** The shape of one sample, without the batch: (H, W, C) for images, (F) for features. */
typedef struct runner_shape {
    size_t size;                   /**< sizeof(runner_shape) */
    size_t rank;                   /**< Dimensions used: 3 for images, 1 for features. */
    int64_t dims[RUNNER_MAX_RANK]; /**< The first `rank` are used. */
} runner_shape;

/** Takes the reason of a failure. Opaque. */
typedef struct runner_sink runner_sink;

/** Takes the parameters that a layer lists. Opaque. */
typedef struct runner_parameters runner_parameters;

/** How the first values of a parameter are made. */
enum {
    RUNNER_INIT_CONSTANT = 0, /**< All are `a`. */
    RUNNER_INIT_UNIFORM = 1,  /**< Uniform from `a` to `b`. */
    RUNNER_INIT_NORMAL = 2,   /**< Normal with mean `a` and standard deviation `b`. */
    RUNNER_INIT_WEIGHT = 3    /**< As the pipeline initialises weights, by `fan_in` and `fan_out`. */
};

/** A parameter of a layer. The runner owns its values, trains, freezes and saves them. */
typedef struct runner_parameter {
    size_t size;                   /**< sizeof(runner_parameter) */
    const char *name;              /**< Within the layer: `weight`, `scale`. Letters, digits and `_`. */
    size_t rank;                   /**< Dimensions used, from 1. */
    int64_t dims[RUNNER_MAX_RANK]; /**< The first `rank` are used. */
    uint32_t init;                 /**< RUNNER_INIT_... */
    float a;                       /**< See the kinds of init. */
    float b;                       /**< See the kinds of init. */
    int32_t weight_decay;          /**< Whether weight decay moves it: 1 for weights, 0 for biases and scales. */
    int64_t fan_in;                /**< Values that flow into one output; for #RUNNER_INIT_WEIGHT. */
    int64_t fan_out;               /**< Values that flow out of one input; for #RUNNER_INIT_WEIGHT. */
} runner_parameter;

/* ---------------------------------------------------------------- the host */

/** What the runner offers to a plugin. Lives as long as the program. */
typedef struct runner_host {
    size_t size;         /**< sizeof(runner_host), as the runner knows it. */
    uint32_t abi_major;  /**< The runner's #RUNNER_ABI_MAJOR. */
    uint32_t abi_minor;  /**< The runner's #RUNNER_ABI_MINOR. */
    const char *version; /**< The runner's version, for a person. */

    /** Writes a line to the log; `level` is a RUNNER_LOG_... */
    void (*log)(int32_t level, const char *text, size_t length);

    /** Tells why the call that `sink` belongs to fails. The last text counts. */
    void (*fail)(runner_sink *sink, const char *text, size_t length);

    /** Adds a parameter to the list; the text and numbers are copied. */
    void (*add_parameter)(runner_parameters *list, const runner_parameter *parameter);

    /**
     * Calls `body(context, i)` for each i from 0 to `count - 1`, spread over the runner's threads,
     * and returns when all have returned. Use it rather than threads of your own.
     */
    void (*parallel_for)(size_t count, void (*body)(void *context, size_t index), void *context);

    /**
     * Reads a number (or a boolean, as 0 or 1) out of JSON arguments, for those who have no JSON
     * reader. `pointer` is a JSON pointer, as "/size" or "/range/0". Returns 1 and sets `value` if
     * there is such a number, else 0.
     */
    int32_t (*json_number)(const char *json, size_t length, const char *pointer, double *value);
} runner_host;

/* ---------------------------------------------------------------- a layer */

/** What is true of a layer: any of these, added. */
enum {
    RUNNER_LAYER_PARAMETERS = 1,     /**< It has parameters. */
    RUNNER_LAYER_MODES = 2,          /**< It differs between training and evaluation. */
    RUNNER_LAYER_RANDOM = 4,         /**< It draws random numbers, in training only. */
    RUNNER_LAYER_THREAD_SAFE = 8,    /**< One instance may be used by several threads at once. */
    RUNNER_LAYER_FORGETS_INPUTS = 16, /**< Backward reads no values of the inputs: they need not be kept. */
    RUNNER_LAYER_FORGETS_OUTPUT = 32  /**< Backward reads no values of the output: it need not be kept. */
};

/** The devices whose tensors a layer takes: any of these, added. */
enum {
    RUNNER_DEVICE_CPU = 1, /**< Memory of the CPU: every layer takes it. */
    /**
     * Memory of an NVIDIA GPU; used from interface 1.1 on, of plugins that say 1.1 or later.
     *
     * Where the runner computes on a GPU, forward and backward are then given tensors whose `device`
     * is {::kDLCUDA, the GPU's number} and whose `data` are addresses there: inputs, parameters, the
     * output, gradients. The scratch is there too. All else is the host's memory: the structs,
     * shapes, keys.
     *
     * On the calling thread the GPU's primary context is current, the one that the CUDA runtime uses
     * as well. All work goes to the call's `stream`, and nobody waits for it: functions return when
     * they have asked for it. What the call points to on the GPU stays until that work is done; what
     * it points to on the host, as long as the call. Sums must be taken in an order that depends on
     * sizes alone, as runs are equal to the last bit: no atomic additions.
     *
     * The same layer runs on the CPU in other runs, and on a GPU where each use is watched
     * (`guard: true`): the `device` of the output says which it is.
     */
    RUNNER_DEVICE_CUDA = 2
};

/** One forward pass over a batch. */
typedef struct runner_forward {
    size_t size;                        /**< sizeof(runner_forward) */
    int32_t mode;                       /**< #RUNNER_TRAINING or #RUNNER_EVALUATION. */
    int32_t backward_follows;           /**< 1 if backward may be called for this pass. */
    int64_t batch;                      /**< N, the samples of the batch. */
    const uint64_t *keys;               /**< N random keys, one a sample, in the host's memory; see ::runner_philox. */
    const DLTensor *const *inputs;      /**< The inputs; only to be read. */
    size_t input_count;                 /**< How many. */
    const DLTensor *const *parameters;  /**< The parameters, in the order in which they were listed; only to be read. */
    size_t parameter_count;             /**< How many. */
    DLTensor *output;                   /**< All of its values are to be written; what it holds before is undefined. */
    void *scratch;                      /**< Memory of runner_layer::scratch_bytes, aligned to 8 bytes, zeroed; kept for backward. */
    size_t scratch_bytes;               /**< How much. */
    /**
     * From 1.1 on, and so there whenever tensors are on a GPU: the stream that all work goes to, a
     * `CUstream` or `cudaStream_t`, which is never NULL there. NULL on the CPU.
     */
    void *stream;
} runner_forward;

/** The way back over the same batch. It may come after forward passes over other batches. */
typedef struct runner_backward {
    size_t size;                           /**< sizeof(runner_backward) */
    int32_t mode;                          /**< As in forward. */
    int32_t reserved;                      /**< 0 */
    int64_t batch;                         /**< As in forward. */
    const uint64_t *keys;                  /**< As in forward. */
    const DLTensor *const *inputs;         /**< As in forward; data is NULL with #RUNNER_LAYER_FORGETS_INPUTS. */
    size_t input_count;                    /**< How many. */
    const DLTensor *const *parameters;     /**< As in forward. */
    size_t parameter_count;                /**< How many. */
    const DLTensor *output;                /**< As forward left it; data is NULL with #RUNNER_LAYER_FORGETS_OUTPUT. */
    const DLTensor *output_gradient;       /**< The loss's gradient for each value of the output. */
    DLTensor *const *input_gradients;      /**< By input: where to ADD its gradient, or NULL where none is wanted. */
    DLTensor *const *parameter_gradients;  /**< By parameter: where to ADD its gradient, or NULL where none is wanted. */
    void *scratch;                         /**< As forward left it. */
    size_t scratch_bytes;                  /**< How much. */
    void *stream;                          /**< As in forward. */
} runner_backward;

/** A kind of layer. Lives as long as the program. */
typedef struct runner_layer {
    size_t size;               /**< sizeof(runner_layer) */
    const char *name;          /**< As pipelines write it: small letters, digits and `_`. */
    const char *documentation; /**< What it does, for a person: one line, then whatever more. */
    /**
     * A JSON Schema (draft 2020-12) of the arguments. The runner checks the pipeline by it, with line
     * and column, before it creates anything. `examples` in it are what `runner plugin check` creates
     * the layer with.
     */
    const char *schema;
    uint64_t flags;    /**< RUNNER_LAYER_... */
    uint64_t devices;  /**< RUNNER_DEVICE_... */
    size_t min_inputs; /**< The fewest inputs that it takes, from 1. */
    size_t max_inputs; /**< The most. */

    /** Makes an instance of JSON arguments, `{}` where the pipeline gives none. A zero byte follows them. */
    runner_status (*create)(const char *arguments, size_t length, void **instance, runner_sink *sink);

    /** Frees an instance. May be NULL. */
    void (*destroy)(void *instance);

    /** The shape of the output for one sample, or why these inputs do not fit. */
    runner_status (*output_shape)(void *instance, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink);

    /** Lists the parameters over inputs of these shapes by ::runner_host::add_parameter. May be NULL: none. */
    runner_status (*parameters)(void *instance, const runner_shape *const *inputs, size_t input_count,
                                runner_parameters *list, runner_sink *sink);

    /** Bytes of scratch for a batch over inputs of these shapes. May be NULL: none. */
    uint64_t (*scratch_bytes)(void *instance, const runner_shape *const *inputs, size_t input_count, int64_t batch);

    /** Multiply-adds for one sample, shown in the plan. May be NULL: none. */
    uint64_t (*multiply_adds)(void *instance, const runner_shape *const *inputs, size_t input_count);

    /** Computes the output. */
    runner_status (*forward)(void *instance, const runner_forward *call, runner_sink *sink);

    /** Adds to the gradients that are wanted. */
    runner_status (*backward)(void *instance, const runner_backward *call, runner_sink *sink);
} runner_layer;

/* ---------------------------------------------------------------- the plugin */

/** What a plugin brings. Lives as long as the program. */
typedef struct runner_plugin_table {
    size_t size;                       /**< sizeof(runner_plugin_table) */
    uint32_t abi_major;                /**< #RUNNER_ABI_MAJOR */
    uint32_t abi_minor;                /**< #RUNNER_ABI_MINOR */
    const char *name;                  /**< The plugin's name, for a person. */
    const char *version;               /**< The plugin's version, for a person. */
    size_t layer_count;                /**< How many layers. */
    const runner_layer *const *layers; /**< The layers. */
} runner_plugin_table;

/** The type of ::runner_plugin. */
typedef const runner_plugin_table *(*runner_plugin_entry)(const runner_host *host);

/**
 * The one symbol of a plugin. Called once; may return NULL if it cannot work with this host.
 * `host` may be kept.
 */
RUNNER_EXPORT const runner_plugin_table *runner_plugin(const runner_host *host);

/* ---------------------------------------------------------------- helpers */

/** Fails with a text: `return runner_fail(host, sink, "size must be even");` */
static inline runner_status runner_fail(const runner_host *host, runner_sink *sink, const char *text) {
    size_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    host->fail(sink, text, length);
    return RUNNER_ERROR;
}

/** Where the values of a tensor begin. */
static inline float *runner_values(const DLTensor *tensor) {
    return (float *)(void *)((char *)tensor->data + tensor->byte_offset);
}

/** The number of values of a tensor. */
static inline int64_t runner_count(const DLTensor *tensor) {
    int64_t count = 1;
    for (int32_t i = 0; i < tensor->ndim; i++) {
        count *= tensor->shape[i];
    }
    return count;
}

/**
 * Four random numbers, each from all of `uint32_t`: those of block `block` of `key`. Philox4x32-10
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). There is no state: the
 * same key and block always give the same numbers, so backward may draw again what forward drew.
 */
static inline void runner_philox(uint64_t key, uint64_t block, uint32_t numbers[4]) {
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    uint32_t c0 = (uint32_t)block, c1 = (uint32_t)(block >> 32), c2 = 0, c3 = 0;
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)c0 * UINT32_C(0xd2511f53);
        uint64_t p1 = (uint64_t)c2 * UINT32_C(0xcd9e8d57);
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += UINT32_C(0x9e3779b9);
        k1 += UINT32_C(0xbb67ae85);
    }
    numbers[0] = c0;
    numbers[1] = c1;
    numbers[2] = c2;
    numbers[3] = c3;
}

/** A random number in [0, 1) of one of ::runner_philox. */
static inline float runner_unit(uint32_t number) {
    return (float)(number >> 8) / (float)(1 << 24);
}

#ifdef __cplusplus
}
#endif

#endif
