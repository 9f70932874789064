/* A learned scale and shift for each channel: y = x * scale + shift. */

#include "runner_plugin.h"

#include <string.h>

static const runner_host *host;

/* The layer has no arguments, and so nothing to remember: this stands for every instance. */
static char nothing;

static runner_status create(const char *arguments, size_t length, void **instance, runner_sink *sink) {
    (void)arguments, (void)length, (void)sink;
    *instance = &nothing;
    return RUNNER_OK;
}

/* Channels are the last dimension, of images (H, W, C) as of features (F). */
static int64_t channels_of(const runner_shape *input) {
    return input->dims[input->rank - 1];
}

static runner_status output_shape(void *instance, const runner_shape *const *inputs, size_t input_count,
                                  runner_shape *output, runner_sink *sink) {
    (void)instance, (void)input_count;
    if (inputs[0]->rank == 0 || channels_of(inputs[0]) == 0) {
        return runner_fail(host, sink, "the input has no channels");
    }
    output->rank = inputs[0]->rank;
    memcpy(output->dims, inputs[0]->dims, sizeof output->dims);
    return RUNNER_OK;
}

static runner_status parameters(void *instance, const runner_shape *const *inputs, size_t input_count,
                                runner_parameters *list, runner_sink *sink) {
    (void)instance, (void)input_count, (void)sink;
    runner_parameter parameter = {
        .size = sizeof(runner_parameter),
        .name = "scale",
        .rank = 1,
        .dims = {channels_of(inputs[0])},
        .init = RUNNER_INIT_CONSTANT,
        .a = 1.0f,
        .weight_decay = 0,
    };
    host->add_parameter(list, &parameter);
    parameter.name = "shift";
    parameter.a = 0.0f;
    host->add_parameter(list, &parameter);
    return RUNNER_OK;
}

/*
 * Backward sums over all places of the batch: each sample by itself into its part of the scratch, on
 * the threads of the runner, and then the samples one after another. In double, as there are many.
 */
static uint64_t scratch_bytes(void *instance, const runner_shape *const *inputs, size_t input_count, int64_t batch) {
    (void)instance, (void)input_count;
    return (uint64_t)batch * 2 * (uint64_t)channels_of(inputs[0]) * sizeof(double);
}

static uint64_t multiply_adds(void *instance, const runner_shape *const *inputs, size_t input_count) {
    (void)instance, (void)input_count;
    uint64_t count = 1;
    for (size_t i = 0; i < inputs[0]->rank; i++) {
        count *= (uint64_t)inputs[0]->dims[i];
    }
    return count;
}

/* A loop over the samples of a batch. What is NULL is not wanted. */
typedef struct {
    int64_t channels;
    int64_t places; /* Of one sample. */
    const float *x;
    const float *scale;
    const float *shift;
    float *y;
    const float *dy;
    float *dx;
    double *sums; /* By sample: that of scale's gradient by channel, then that of shift's. */
} loop;

static loop loop_over(const DLTensor *input, int64_t batch) {
    const int64_t channels = input->shape[input->ndim - 1];
    const int64_t places = batch == 0 ? 0 : runner_count(input) / batch / channels;
    loop work = {.channels = channels, .places = places, .x = runner_values(input)};
    return work;
}

static void forward_sample(void *context, size_t sample) {
    const loop *work = context;
    int64_t at = (int64_t)sample * work->places * work->channels;
    for (int64_t place = 0; place < work->places; place++, at += work->channels) {
        for (int64_t c = 0; c < work->channels; c++) {
            work->y[at + c] = work->x[at + c] * work->scale[c] + work->shift[c];
        }
    }
}

static runner_status forward(void *instance, const runner_forward *call, runner_sink *sink) {
    (void)instance, (void)sink;
    loop work = loop_over(call->inputs[0], call->batch);
    work.scale = runner_values(call->parameters[0]);
    work.shift = runner_values(call->parameters[1]);
    work.y = runner_values(call->output);
    host->parallel_for((size_t)call->batch, forward_sample, &work);
    return RUNNER_OK;
}

static void backward_sample(void *context, size_t sample) {
    const loop *work = context;
    int64_t at = (int64_t)sample * work->places * work->channels;
    double *scale_sums = work->sums + (int64_t)sample * 2 * work->channels;
    double *shift_sums = scale_sums + work->channels;
    memset(scale_sums, 0, 2 * (size_t)work->channels * sizeof(double));
    for (int64_t place = 0; place < work->places; place++, at += work->channels) {
        for (int64_t c = 0; c < work->channels; c++) {
            const float dy = work->dy[at + c];
            scale_sums[c] += (double)work->x[at + c] * dy;
            shift_sums[c] += dy;
            if (work->dx != NULL) {
                work->dx[at + c] += work->scale[c] * dy;
            }
        }
    }
}

/* Adds the sums of all samples, from the first of them on, to a parameter's gradient. */
static void add_sums(const loop *work, const double *sums, int64_t batch, const DLTensor *gradient) {
    for (int64_t c = 0; gradient != NULL && c < work->channels; c++) {
        double sum = 0.0;
        for (int64_t sample = 0; sample < batch; sample++) {
            sum += sums[sample * 2 * work->channels + c];
        }
        runner_values(gradient)[c] += (float)sum;
    }
}

static runner_status backward(void *instance, const runner_backward *call, runner_sink *sink) {
    (void)instance, (void)sink;
    loop work = loop_over(call->inputs[0], call->batch);
    work.scale = runner_values(call->parameters[0]);
    work.dy = runner_values(call->output_gradient);
    work.dx = call->input_gradients[0] == NULL ? NULL : runner_values(call->input_gradients[0]);
    work.sums = call->scratch;
    host->parallel_for((size_t)call->batch, backward_sample, &work);
    add_sums(&work, work.sums, call->batch, call->parameter_gradients[0]);
    add_sums(&work, work.sums + work.channels, call->batch, call->parameter_gradients[1]);
    return RUNNER_OK;
}

static const runner_layer layer = {
    .size = sizeof(runner_layer),
    .name = "scale_shift",
    .documentation = "Multiplies each channel by a learned scale and adds a learned shift.",
    .schema = "{ \"type\": \"object\", \"additionalProperties\": false, \"examples\": [{}] }",
    .flags = RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_OUTPUT,
    .devices = RUNNER_DEVICE_CPU,
    .min_inputs = 1,
    .max_inputs = 1,
    .create = create,
    .output_shape = output_shape,
    .parameters = parameters,
    .scratch_bytes = scratch_bytes,
    .multiply_adds = multiply_adds,
    .forward = forward,
    .backward = backward,
};

static const runner_layer *const layers[] = {&layer};

static const runner_plugin_table table = {
    .size = sizeof(runner_plugin_table),
    .abi_major = RUNNER_ABI_MAJOR,
    .abi_minor = RUNNER_ABI_MINOR,
    .name = "scale_shift",
    .version = "0.1.0",
    .layer_count = 1,
    .layers = layers,
};

const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    return given->abi_major == RUNNER_ABI_MAJOR ? &table : NULL;
}
