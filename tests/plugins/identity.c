/* A layer that gives its input: what it takes beside the copy is the cost of the border. */
#include "runner_plugin.h"
#include <string.h>

static char instance;

static runner_status create(const char *arguments, size_t length, void **made, runner_sink *sink) {
    (void)arguments;
    (void)length;
    (void)sink;
    *made = &instance;
    return RUNNER_OK;
}

static runner_status output_shape(void *self, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink) {
    (void)self;
    (void)input_count;
    (void)sink;
    *output = *inputs[0];
    return RUNNER_OK;
}

static runner_status forward(void *self, const runner_forward *call, runner_sink *sink) {
    (void)self;
    (void)sink;
    size_t bytes = (size_t)runner_count(call->output) * sizeof(float);
    memcpy(runner_values(call->output), runner_values(call->inputs[0]), bytes);
    return RUNNER_OK;
}

static runner_status backward(void *self, const runner_backward *call, runner_sink *sink) {
    (void)self;
    (void)sink;
    if (call->input_gradients[0] == NULL) {
        return RUNNER_OK;
    }
    int64_t count = runner_count(call->output_gradient);
    const float *from = runner_values(call->output_gradient);
    float *to = runner_values(call->input_gradients[0]);
    for (int64_t i = 0; i < count; i++) {
        to[i] += from[i];
    }
    return RUNNER_OK;
}

static const runner_layer layer = {
    sizeof(runner_layer),
    "identity",
    "Gives its input.",
    "{\"type\": \"object\", \"properties\": {}, \"additionalProperties\": false}",
    RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_INPUTS | RUNNER_LAYER_FORGETS_OUTPUT,
    RUNNER_DEVICE_CPU,
    1,
    1,
    create,
    NULL,
    output_shape,
    NULL,
    NULL,
    NULL,
    forward,
    backward,
};
static const runner_layer *const layers[] = {&layer};
static const runner_plugin_table table = {
    sizeof(runner_plugin_table), RUNNER_ABI_MAJOR, RUNNER_ABI_MINOR, "identity", "1.0", 1, layers,
};

const runner_plugin_table *runner_plugin(const runner_host *host) {
    return host->abi_major == RUNNER_ABI_MAJOR ? &table : NULL;
}
