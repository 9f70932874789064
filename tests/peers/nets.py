"""The nets that are compared: torchvision's, and EfficientNet-Lite0, which torchvision has not."""

import json

import numpy
import torch
import torchvision
from torch import nn
from torch.nn import functional


def net(name, classes):
    """A backbone, global average pooling and one linear map, as runner's side has it; random weights."""
    backbone, channels = BACKBONES[name]
    return nn.Sequential(backbone(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def residual(make):
    whole = make()
    parts = [*whole.named_children()]
    return nn.Sequential(*(part for name, part in parts if name not in ("avgpool", "fc")))


class SameConv(nn.Conv2d):
    """TensorFlow's 'SAME' padding: where it is uneven, more at the end."""

    def forward(self, x):
        pads = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            missing = max((-(-size // stride) - 1) * stride + kernel - size, 0)
            pads += [missing // 2, missing - missing // 2]
        if len(set(pads)) > 1:
            return super().forward(functional.pad(x, pads))
        return functional.conv2d(x, self.weight, self.bias, self.stride, pads[0], self.dilation, self.groups)


def norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class Block(nn.Module):
    """A mobile inverted bottleneck, named as the weight file in pipelines/assets names it."""

    def __init__(self, channels, expansion, kernel, stride, out):
        super().__init__()
        inner = channels * expansion
        if expansion != 1:
            self._expand_conv = nn.Conv2d(channels, inner, 1, bias=False)
            self._bn0 = norm(inner)
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = norm(inner)
        self._project_conv = nn.Conv2d(inner, out, 1, bias=False)
        self._bn2 = norm(out)
        self.expands, self.adds = expansion != 1, stride == 1 and channels == out

    def forward(self, x):
        y = functional.relu6(self._bn0(self._expand_conv(x)), inplace=True) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)), inplace=True)
        y = self._bn2(self._project_conv(y))
        return y + x if self.adds else y


class EfficientNetLite0(nn.Module):
    """Without its classifier."""

    # expansion, kernel, stride of the first block, output channels, blocks
    RUNS = [
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    ]  # fmt: skip

    def __init__(self):
        super().__init__()
        self._conv_stem, self._bn0 = SameConv(3, 32, 3, 2, bias=False), norm(32)
        blocks, channels = [], 32
        for expansion, kernel, stride, out, count in self.RUNS:
            for number in range(count):
                blocks.append(Block(channels, expansion, kernel, stride if number == 0 else 1, out))
                channels = out
        self._blocks = nn.Sequential(*blocks)
        self._conv_head, self._bn1 = nn.Conv2d(channels, 1280, 1, bias=False), norm(1280)

    def forward(self, x):
        x = functional.relu6(self._bn0(self._conv_stem(x)), inplace=True)
        return functional.relu6(self._bn1(self._conv_head(self._blocks(x))), inplace=True)


BACKBONES = {
    "resnet18": (lambda: residual(torchvision.models.resnet18), 512),
    "resnet50": (lambda: residual(torchvision.models.resnet50), 2048),
    "mobilenet_v2": (lambda: torchvision.models.mobilenet_v2().features, 1280),
    "vgg11_bn": (lambda: torchvision.models.vgg11_bn().features, 512),
    "efficientnet_lite0": (EfficientNetLite0, 1280),
}


def normalization(name):
    """How a net's images are normalized, as runner does it: (mean, std)."""
    if name == "efficientnet_lite0":
        return (127 / 255,) * 3, (128 / 255,) * 3
    return (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def safetensors(path):
    """The tensors of a safetensors file in float32."""
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    kinds = {"F16": numpy.float16, "F32": numpy.float32, "I64": numpy.int64}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            values = numpy.frombuffer(data[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(values.astype(numpy.float32))
    return tensors


def load(backbone, path):
    """Reads a backbone's weights; its classifier's are left out."""
    found = backbone.load_state_dict(safetensors(path), strict=False)
    missing = [name for name in found.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or any(not name.startswith(("_fc", "fc")) for name in found.unexpected_keys):
        raise SystemExit(f"{path} does not fit: {missing}, {found.unexpected_keys}")
