/*
 * The layer `my_layer`: y = x above 0, slope * x below, with a learned slope for each channel (PReLU,
 * He et al. 2015). A beginning: change it into what you need.
 */

#include "runner_plugin.h"

#include <stdlib.h>

static const runner_host *host;

/* An instance: what the arguments said. */
typedef struct {
    float slope;
} instance;

static runner_status create(const char *arguments, size_t length, void **made, runner_sink *sink) {
    double slope = 0.25;
    host->json_number(arguments, length, "/slope", &slope);
    instance *self = malloc(sizeof *self);
    if (self == NULL) {
        return runner_fail(host, sink, "no memory is left");
    }
    self->slope = (float)slope;
    *made = self;
    return RUNNER_OK;
}

static void destroy(void *made) {
    free(made);
}

static runner_status output_shape(void *made, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink) {
    (void)made, (void)input_count, (void)sink;
    *output = *inputs[0];
    return RUNNER_OK;
}

static runner_status parameters(void *made, const runner_shape *const *inputs, size_t input_count,
                                runner_parameters *list, runner_sink *sink) {
    (void)input_count, (void)sink;
    const runner_parameter slope = {
        .size = sizeof slope,
        .name = "slope",
        .rank = 1,
        /* Channels are the last dimension: of images (H, W, C) as of features (F). */
        .dims = {inputs[0]->dims[inputs[0]->rank - 1]},
        .init = RUNNER_INIT_CONSTANT,
        .a = ((const instance *)made)->slope,
    };
    host->add_parameter(list, &slope);
    return RUNNER_OK;
}

static runner_status forward(void *made, const runner_forward *call, runner_sink *sink) {
    (void)made, (void)sink;
    const int64_t count = runner_count(call->output), channels = runner_count(call->parameters[0]);
    const float *x = runner_values(call->inputs[0]), *slopes = runner_values(call->parameters[0]);
    float *y = runner_values(call->output);
    for (int64_t i = 0; i < count; i++) {
        y[i] = x[i] > 0 ? x[i] : slopes[i % channels] * x[i];
    }
    return RUNNER_OK;
}

/* Gradients are added to what is there; those that are not wanted are NULL. */
static runner_status backward(void *made, const runner_backward *call, runner_sink *sink) {
    (void)made, (void)sink;
    const int64_t count = runner_count(call->output_gradient), channels = runner_count(call->parameters[0]);
    const float *x = runner_values(call->inputs[0]), *slopes = runner_values(call->parameters[0]);
    const float *dy = runner_values(call->output_gradient);
    if (call->input_gradients[0] != NULL) {
        float *dx = runner_values(call->input_gradients[0]);
        for (int64_t i = 0; i < count; i++) {
            dx[i] += x[i] > 0 ? dy[i] : slopes[i % channels] * dy[i];
        }
    }
    if (call->parameter_gradients[0] != NULL) {
        float *dslope = runner_values(call->parameter_gradients[0]);
        for (int64_t i = 0; i < count; i++) {
            dslope[i % channels] += x[i] > 0 ? 0 : x[i] * dy[i];
        }
    }
    return RUNNER_OK;
}

static const char schema[] =
    "{\n"
    "  \"type\": \"object\",\n"
    "  \"properties\": {\n"
    "    \"slope\": { \"type\": \"number\", \"default\": 0.25, \"description\": \"The slopes at first.\" }\n"
    "  },\n"
    "  \"additionalProperties\": false,\n"
    "  \"examples\": [{}, { \"slope\": 0.1 }]\n"
    "}";

static const runner_layer layer = {
    .size = sizeof(runner_layer),
    .name = "my_layer",
    .documentation = "A ReLU with a learned slope below 0 for each channel.",
    .schema = schema,
    /* No state but the arguments, so that several threads may use one instance. */
    .flags = RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_OUTPUT,
    .devices = RUNNER_DEVICE_CPU,
    .min_inputs = 1,
    .max_inputs = 1,
    .create = create,
    .destroy = destroy,
    .output_shape = output_shape,
    .parameters = parameters,
    .forward = forward,
    .backward = backward,
};

static const runner_layer *const layers[] = {&layer};

static const runner_plugin_table table = {
    .size = sizeof(runner_plugin_table),
    .abi_major = RUNNER_ABI_MAJOR,
    .abi_minor = RUNNER_ABI_MINOR,
    .name = "my_layer",
    .version = "0.1.0",
    .layer_count = 1,
    .layers = layers,
};

const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    return given->abi_major == RUNNER_ABI_MAJOR ? &table : NULL;
}
