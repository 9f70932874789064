/* Swish with a slope learned for each channel: y = x * sigmoid(beta * x). */

#include "swish.h"

#include "runner_plugin.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const runner_host *host;

/* What the arguments say. */
typedef struct {
    float beta; /* The slope's first value. */
} swish;

static runner_status create(const char *arguments, size_t length, void **instance, runner_sink *sink) {
    double beta = 1.0;
    swish *made = malloc(sizeof *made);
    if (made == NULL) {
        return runner_fail(host, sink, "out of memory");
    }
    host->json_number(arguments, length, "/beta", &beta);
    made->beta = (float)beta;
    *instance = made;
    return RUNNER_OK;
}

static void destroy(void *instance) {
    free(instance);
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
    const swish *self = instance;
    (void)input_count, (void)sink;
    runner_parameter parameter = {
        .size = sizeof(runner_parameter),
        .name = "beta",
        .rank = 1,
        .dims = {channels_of(inputs[0])},
        .init = RUNNER_INIT_CONSTANT,
        .a = self->beta,
        .weight_decay = 0,
    };
    host->add_parameter(list, &parameter);
    return RUNNER_OK;
}

/*
 * The gradient of beta is a sum over all places of the batch: each sample by itself into its part of
 * the scratch, and then the samples one after another, so that the order is always the same. In
 * double, as there are many.
 */
static uint64_t scratch_bytes(void *instance, const runner_shape *const *inputs, size_t input_count, int64_t batch) {
    (void)instance, (void)input_count;
    return (uint64_t)batch * (uint64_t)channels_of(inputs[0]) * sizeof(double);
}

static uint64_t multiply_adds(void *instance, const runner_shape *const *inputs, size_t input_count) {
    (void)instance, (void)input_count;
    uint64_t count = 1;
    for (size_t i = 0; i < inputs[0]->rank; i++) {
        count *= (uint64_t)inputs[0]->dims[i];
    }
    return count;
}

static float *values_or_null(const DLTensor *tensor) {
    return tensor == NULL ? NULL : runner_values(tensor);
}

static swish_pass pass_over(const DLTensor *input, const DLTensor *beta, int64_t batch) {
    const int64_t channels = input->shape[input->ndim - 1];
    const int64_t places = batch == 0 ? 0 : runner_count(input) / batch / channels;
    swish_pass pass = {.batch = batch, .channels = channels, .places = places};
    pass.x = runner_values(input);
    pass.beta = runner_values(beta);
    return pass;
}

static float sigmoid(float x) {
    return 1.0f / (1.0f + expf(-x));
}

static void forward_sample(void *context, size_t sample) {
    const swish_pass *pass = context;
    int64_t at = (int64_t)sample * pass->places * pass->channels;
    for (int64_t place = 0; place < pass->places; place++, at += pass->channels) {
        for (int64_t c = 0; c < pass->channels; c++) {
            const float x = pass->x[at + c];
            pass->y[at + c] = x * sigmoid(pass->beta[c] * x);
        }
    }
}

static void backward_sample(void *context, size_t sample) {
    const swish_pass *pass = context;
    int64_t at = (int64_t)sample * pass->places * pass->channels;
    double *sums = pass->sums + (int64_t)sample * pass->channels;
    memset(sums, 0, (size_t)pass->channels * sizeof(double));
    for (int64_t place = 0; place < pass->places; place++, at += pass->channels) {
        for (int64_t c = 0; c < pass->channels; c++) {
            const float x = pass->x[at + c], dy = pass->dy[at + c], beta = pass->beta[c];
            const float s = sigmoid(beta * x), slope = s * (1.0f - s);
            sums[c] += (double)dy * x * x * slope;
            if (pass->dx != NULL) {
                pass->dx[at + c] += dy * (s + beta * x * slope);
            }
        }
    }
}

static void add_sums(const swish_pass *pass) {
    for (int64_t c = 0; pass->dbeta != NULL && c < pass->channels; c++) {
        double sum = 0.0;
        for (int64_t sample = 0; sample < pass->batch; sample++) {
            sum += pass->sums[sample * pass->channels + c];
        }
        pass->dbeta[c] += (float)sum;
    }
}

#ifdef SWISH_ON_GPU

#define DEVICES (RUNNER_DEVICE_CPU | RUNNER_DEVICE_CUDA)

static runner_status told(const char *error, runner_sink *sink) {
    return error == NULL ? RUNNER_OK : runner_fail(host, sink, error);
}

#else

#define DEVICES RUNNER_DEVICE_CPU

#endif

static runner_status forward(void *instance, const runner_forward *call, runner_sink *sink) {
    (void)instance, (void)sink;
    swish_pass pass = pass_over(call->inputs[0], call->parameters[0], call->batch);
    pass.y = runner_values(call->output);
#ifdef SWISH_ON_GPU
    if (call->output->device.device_type == kDLCUDA) {
        return told(swish_forward_on_gpu(&pass, call->stream), sink);
    }
#endif
    host->parallel_for((size_t)call->batch, forward_sample, &pass);
    return RUNNER_OK;
}

static runner_status backward(void *instance, const runner_backward *call, runner_sink *sink) {
    (void)instance, (void)sink;
    swish_pass pass = pass_over(call->inputs[0], call->parameters[0], call->batch);
    pass.dy = runner_values(call->output_gradient);
    pass.dx = values_or_null(call->input_gradients[0]);
    pass.dbeta = values_or_null(call->parameter_gradients[0]);
    pass.sums = call->scratch;
#ifdef SWISH_ON_GPU
    if (call->output->device.device_type == kDLCUDA) {
        return told(swish_backward_on_gpu(&pass, call->stream), sink);
    }
#endif
    host->parallel_for((size_t)call->batch, backward_sample, &pass);
    add_sums(&pass);
    return RUNNER_OK;
}

static const char schema[] =
    "{ \"type\": \"object\", \"additionalProperties\": false, \"properties\": { \"beta\": { \"type\": \"number\", "
    "\"default\": 1, \"description\": \"The first value of the slopes.\" } }, \"examples\": [{}, { \"beta\": 0.5 }] }";

static const runner_layer layer = {
    .size = sizeof(runner_layer),
    .name = "swish",
    .documentation = "Swish with a slope learned for each channel, x * sigmoid(beta * x) (Ramachandran et al. 2017).",
    .schema = schema,
    .flags = RUNNER_LAYER_PARAMETERS | RUNNER_LAYER_THREAD_SAFE | RUNNER_LAYER_FORGETS_OUTPUT,
    .devices = DEVICES,
    .min_inputs = 1,
    .max_inputs = 1,
    .create = create,
    .destroy = destroy,
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
    .name = "swish",
    .version = "0.1.0",
    .layer_count = 1,
    .layers = layers,
};

const runner_plugin_table *runner_plugin(const runner_host *given) {
    host = given;
    return given->abi_major == RUNNER_ABI_MAJOR ? &table : NULL;
}
