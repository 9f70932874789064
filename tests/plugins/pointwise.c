/* A layer of one function of one number, `F` with the slope `SLOPE`: tests change this text. */

#include "runner_plugin.h"

#include <math.h>
#include <stdio.h>

#define NAME "plain"
#define F(x) (x)
#define SLOPE(x) 1.0f

static const runner_host *host;
static char instance;

static runner_status create(const char *arguments, size_t length, void **made, runner_sink *sink) {
    (void)arguments, (void)length, (void)sink;
    *made = &instance;
    return RUNNER_OK;
}

static runner_status output_shape(void *self, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink) {
    (void)self, (void)input_count, (void)sink;
    *output = *inputs[0];
    return RUNNER_OK;
}

/* Says where two tensors are. */
static void tell(const char *function, const DLTensor *from, const DLTensor *to) {
    char text[100];
    int length = snprintf(text, sizeof text, "%s: %p -> %p", function, from->data, to->data);
    host->log(RUNNER_LOG_INFO, text, (size_t)length);
}

static runner_status forward(void *self, const runner_forward *call, runner_sink *sink) {
    const float *x = runner_values(call->inputs[0]);
    const int64_t count = runner_count(call->output);
    float *y = runner_values(call->output);
    (void)self, (void)sink;
    tell("forward", call->inputs[0], call->output);
    for (int64_t i = 0; i < count; i++) {
        y[i] = F(x[i]);
    }
    /* forward */
    return RUNNER_OK;
}

static runner_status backward(void *self, const runner_backward *call, runner_sink *sink) {
    const float *x = runner_values(call->inputs[0]), *dy = runner_values(call->output_gradient);
    const int64_t count = runner_count(call->output_gradient);
    (void)self, (void)sink, (void)x;
    if (call->input_gradients[0] != NULL) {
        float *dx = runner_values(call->input_gradients[0]);
        tell("backward", call->output_gradient, call->input_gradients[0]);
        for (int64_t i = 0; i < count; i++) {
            dx[i] += dy[i] * SLOPE(x[i]);
        }
    }
    /* backward */
    return RUNNER_OK;
}

static const runner_layer layer = {
    .size = sizeof(runner_layer),
    .name = NAME,
    .documentation = "A function of one number.",
    .schema = "{ \"type\": \"object\", \"additionalProperties\": false }",
    .flags = RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_OUTPUT,
    .devices = RUNNER_DEVICE_CPU,
    .min_inputs = 1,
    .max_inputs = 1,
    .create = create,
    .output_shape = output_shape,
    .forward = forward,
    .backward = backward,
};

static const runner_layer *const layers[] = {&layer};

static const runner_plugin_table table = {
    .size = sizeof(runner_plugin_table),
    .abi_major = RUNNER_ABI_MAJOR,
    .abi_minor = RUNNER_ABI_MINOR,
    .name = NAME,
    .version = "1.0.0",
    .layer_count = 1,
    .layers = layers,
};

const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    return &table;
}
