/* Clamps values to a range: y = min(max(x, low), high). */

#include "runner_plugin.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

static const runner_host *host;

/* An instance: what the arguments said. */
typedef struct {
    float low;
    float high;
} feature_clip;

static int read_number(const char *json, size_t length, const char *pointer, float *number) {
    double value;
    if (!host->json_number(json, length, pointer, &value) || !(value >= -FLT_MAX && value <= FLT_MAX)) {
        return 0;
    }
    *number = (float)value;
    return 1;
}

static runner_status create(const char *arguments, size_t length, void **instance, runner_sink *sink) {
    feature_clip clip;
    if (!read_number(arguments, length, "/min", &clip.low) || !read_number(arguments, length, "/max", &clip.high)) {
        return runner_fail(host, sink, "min and max must be numbers that fit into float32");
    }
    if (clip.low > clip.high) {
        return runner_fail(host, sink, "min must not be above max");
    }
    feature_clip *made = malloc(sizeof *made);
    if (made == NULL) {
        return runner_fail(host, sink, "no memory is left");
    }
    *made = clip;
    *instance = made;
    return RUNNER_OK;
}

static void destroy(void *instance) {
    free(instance);
}

static runner_status output_shape(void *instance, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink) {
    (void)instance, (void)input_count, (void)sink;
    output->rank = inputs[0]->rank;
    memcpy(output->dims, inputs[0]->dims, sizeof output->dims);
    return RUNNER_OK;
}

/* A loop over all values, given to the runner's threads in blocks. */
typedef struct {
    feature_clip clip;
    int64_t count;
    const float *x;
    const float *dy; /* NULL in forward. */
    float *to;       /* The output; in backward the input's gradient. */
} loop;

enum { BLOCK = 16384 };

static void run_block(void *context, size_t index) {
    const loop *work = context;
    const float low = work->clip.low, high = work->clip.high;
    const int64_t first = (int64_t)index * BLOCK;
    const int64_t end = work->count - first < BLOCK ? work->count : first + BLOCK;
    for (int64_t i = first; i < end; i++) {
        const float x = work->x[i];
        if (work->dy == NULL) {
            /* Comparisons with NaN are false: it passes, so that it is seen. */
            work->to[i] = x < low ? low : x > high ? high : x;
        } else {
            work->to[i] += x < low || x > high ? 0.0f : work->dy[i];
        }
    }
}

static void run(loop *work) {
    host->parallel_for((size_t)((work->count + BLOCK - 1) / BLOCK), run_block, work);
}

static runner_status forward(void *instance, const runner_forward *call, runner_sink *sink) {
    (void)sink;
    loop work = {*(const feature_clip *)instance, runner_count(call->output), runner_values(call->inputs[0]), NULL,
                 runner_values(call->output)};
    run(&work);
    return RUNNER_OK;
}

static runner_status backward(void *instance, const runner_backward *call, runner_sink *sink) {
    (void)sink;
    if (call->input_gradients[0] == NULL) {
        return RUNNER_OK;
    }
    loop work = {*(const feature_clip *)instance, runner_count(call->output_gradient), runner_values(call->inputs[0]),
                 runner_values(call->output_gradient), runner_values(call->input_gradients[0])};
    run(&work);
    return RUNNER_OK;
}

static const char schema[] =
    "{\n"
    "  \"type\": \"object\",\n"
    "  \"properties\": {\n"
    "    \"min\": { \"type\": \"number\", \"description\": \"Values below become this.\" },\n"
    "    \"max\": { \"type\": \"number\", \"description\": \"Values above become this.\" }\n"
    "  },\n"
    "  \"required\": [\"min\", \"max\"],\n"
    "  \"additionalProperties\": false,\n"
    "  \"examples\": [{ \"min\": -0.5, \"max\": 0.75 }, { \"min\": 0, \"max\": 6 }]\n"
    "}";

static const runner_layer layer = {
    .size = sizeof(runner_layer),
    .name = "feature_clip",
    .documentation = "Clamps values to the range from `min` to `max`.\n\nThe gradient passes within the range, ends included.",
    .schema = schema,
    .flags = RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_OUTPUT,
    .devices = RUNNER_DEVICE_CPU,
    .min_inputs = 1,
    .max_inputs = 1,
    .create = create,
    .destroy = destroy,
    .output_shape = output_shape,
    .forward = forward,
    .backward = backward,
};

static const runner_layer *const layers[] = {&layer};

static const runner_plugin_table table = {
    .size = sizeof(runner_plugin_table),
    .abi_major = RUNNER_ABI_MAJOR,
    .abi_minor = RUNNER_ABI_MINOR,
    .name = "feature_clip",
    .version = "0.1.0",
    .layer_count = 1,
    .layers = layers,
};

const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    return given->abi_major == RUNNER_ABI_MAJOR ? &table : NULL;
}
