/* A gated sum of two inputs: y = a + scale * b, with a learned scale for each channel. */

#include "runner_plugin.h"

#include <stdlib.h>
#include <string.h>

static const runner_host *host;

/* What the arguments say. */
typedef struct {
    float scale;   /* The scale's first value. */
    int32_t decay; /* Whether weight decay moves it. */
} gate;

static runner_status create(const char *arguments, size_t length, void **instance, runner_sink *sink) {
    double scale = 0.0, decay = 0.0;
    gate *made = malloc(sizeof *made);
    if (made == NULL) {
        return runner_fail(host, sink, "out of memory");
    }
    host->json_number(arguments, length, "/scale", &scale);
    host->json_number(arguments, length, "/decay", &decay);
    made->scale = (float)scale;
    made->decay = decay != 0.0;
    *instance = made;
    return RUNNER_OK;
}

static void destroy(void *instance) {
    free(instance);
}

static int64_t channels_of(const runner_shape *input) {
    return input->dims[input->rank - 1];
}

static runner_status output_shape(void *instance, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink) {
    (void)instance, (void)input_count;
    if (inputs[0]->rank != inputs[1]->rank ||
        memcmp(inputs[0]->dims, inputs[1]->dims, inputs[0]->rank * sizeof(int64_t)) != 0) {
        return runner_fail(host, sink, "both inputs must have the same shape");
    }
    output->rank = inputs[0]->rank;
    memcpy(output->dims, inputs[0]->dims, sizeof output->dims);
    return RUNNER_OK;
}

static runner_status parameters(void *instance, const runner_shape *const *inputs, size_t input_count,
                                runner_parameters *list, runner_sink *sink) {
    const gate *self = instance;
    runner_parameter scale = {
        .size = sizeof(runner_parameter),
        .name = "scale",
        .rank = 1,
        .dims = {channels_of(inputs[0])},
        .init = RUNNER_INIT_CONSTANT,
        .a = self->scale,
        .weight_decay = self->decay,
    };
    (void)input_count, (void)sink;
    host->add_parameter(list, &scale);
    return RUNNER_OK;
}

static runner_status forward(void *instance, const runner_forward *call, runner_sink *sink) {
    const float *a = runner_values(call->inputs[0]), *b = runner_values(call->inputs[1]);
    const float *scale = runner_values(call->parameters[0]);
    const int64_t count = runner_count(call->output), channels = runner_count(call->parameters[0]);
    float *y = runner_values(call->output);
    (void)instance, (void)sink;
    for (int64_t i = 0; i < count; i++) {
        y[i] = a[i] + scale[i % channels] * b[i];
    }
    return RUNNER_OK;
}

static runner_status backward(void *instance, const runner_backward *call, runner_sink *sink) {
    const float *b = runner_values(call->inputs[1]), *scale = runner_values(call->parameters[0]);
    const float *dy = runner_values(call->output_gradient);
    const int64_t count = runner_count(call->output_gradient), channels = runner_count(call->parameters[0]);
    (void)instance, (void)sink;
    if (call->input_gradients[0] != NULL) {
        float *da = runner_values(call->input_gradients[0]);
        for (int64_t i = 0; i < count; i++) {
            da[i] += dy[i];
        }
    }
    if (call->input_gradients[1] != NULL) {
        float *db = runner_values(call->input_gradients[1]);
        for (int64_t i = 0; i < count; i++) {
            db[i] += scale[i % channels] * dy[i];
        }
    }
    if (call->parameter_gradients[0] != NULL) {
        float *dscale = runner_values(call->parameter_gradients[0]);
        for (int64_t c = 0; c < channels; c++) {
            double sum = 0.0;
            for (int64_t i = c; i < count; i += channels) {
                sum += (double)b[i] * dy[i];
            }
            dscale[c] += (float)sum;
        }
    }
    return RUNNER_OK;
}

static const runner_layer layer = {
    .size = sizeof(runner_layer),
    .name = "gate",
    .documentation = "Adds the second input to the first, each channel by a learned scale.",
    .schema = "{ \"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
              "  \"scale\": { \"type\": \"number\", \"minimum\": -10, \"maximum\": 10 },"
              "  \"decay\": { \"type\": \"boolean\" } }, \"required\": [\"scale\"],"
              "  \"examples\": [{ \"scale\": 0.5 }] }",
    .flags = RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_OUTPUT,
    .devices = RUNNER_DEVICE_CPU,
    .min_inputs = 2,
    .max_inputs = 2,
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
    .name = "gate",
    .version = "1.2.3",
    .layer_count = 1,
    .layers = layers,
};

const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    return &table;
}
