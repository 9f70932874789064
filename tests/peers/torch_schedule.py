"""Lightning's side of `schedule`: pipelines/medical.yaml with finetuning-scheduler.

    python torch_schedule.py DATA WEIGHTS SEED FOLDER batch|frozen

Frozen batch norm normalizes by the batch, as Lightning leaves it, or (`frozen`) by its running statistics.
"""

import json
import logging
import os
import sys
import time
import warnings
from pathlib import Path

import lightning
import torch
import yaml
from finetuning_scheduler import FinetuningScheduler, FTSCheckpoint
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from nets import EfficientNetLite0, load, normalization

SIZE, BATCH = 96, 32
NORMALIZE = transforms.Normalize(*normalization("efficientnet_lite0"))
TOP = [r"backbone\._blocks\.(13|14|15)\..*", r"backbone\.(_conv_head|_bn1)\..*"]
MIDDLE = [r"backbone\._blocks\.(8|9|10|11|12)\..*"]
# The last epoch of each phase but the last, its parameters, and the rates of the head and of the rest in it.
PHASES = [(4, [r"head\..*"], 3e-3, 0), (7, TOP, 1e-3, 3e-4), (10, MIDDLE, 5e-4, 1e-4)]


class Net(lightning.LightningModule):
    def __init__(self, weights, classes, frozen_norms):
        super().__init__()
        self.frozen_norms = frozen_norms
        self.backbone = EfficientNetLite0()
        load(self.backbone, weights)
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(1280, classes))
        self.correct = self.count = 0

    def forward(self, x):
        return self.head(self.backbone(x.to(memory_format=torch.channels_last)))

    def configure_optimizers(self):
        trains = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return torch.optim.AdamW(trains, lr=PHASES[0][2], weight_decay=0.01)

    def on_train_epoch_start(self):
        """finetuning-scheduler gives a rate to what a phase adds; what trains already gets its rate here."""
        _, _, head, rest = next(phase for phase in PHASES if self.current_epoch < phase[0])
        own = {id(parameter) for parameter in self.head.parameters()}
        for group in self.optimizers().optimizer.param_groups:
            group["lr"] = head if any(id(parameter) in own for parameter in group["params"]) else rest
        norms = (module for module in self.modules() if isinstance(module, nn.BatchNorm2d))
        for norm in norms if self.frozen_norms else ():
            norm.train(norm.weight.requires_grad)

    def training_step(self, batch, _):
        loss = functional.cross_entropy(self(batch[0]), batch[1], label_smoothing=0.05)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, _):
        self.log("val_loss", functional.cross_entropy(self(batch[0]), batch[1]))

    def test_step(self, batch, _):
        self.correct += int((self(batch[0]).argmax(1) == batch[1]).sum())
        self.count += len(batch[1])


def schedule(folder):
    phases = {
        number: {"params": params, "max_transition_epoch": last, **({"lr": rest} if number else {})}
        for number, (last, params, _, rest) in enumerate(PHASES)
    }
    file = Path(folder) / "schedule.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(phases))
    return file


def main(data, weights, seed, folder, norms):
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning").setLevel(logging.ERROR)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    lightning.seed_everything(int(seed), workers=True, verbose=False)
    varied = transforms.Compose([
        transforms.RandomResizedCrop(SIZE, scale=(0.8, 1.0)), transforms.RandomHorizontalFlip(),
        transforms.RandomVerticalFlip(), transforms.ColorJitter(0.1, 0.1, 0.1), transforms.ToTensor(), NORMALIZE,
    ])  # fmt: skip
    plain = transforms.Compose([transforms.Resize(SIZE), transforms.CenterCrop(SIZE), transforms.ToTensor(), NORMALIZE])
    started = time.perf_counter()
    loaders = {
        part: DataLoader(
            datasets.ImageFolder(f"{data}/{part}", varied if part == "train" else plain),
            BATCH, shuffle=part == "train", num_workers=2, persistent_workers=True,
        )
        for part in ("train", "val", "test")
    }  # fmt: skip
    net = Net(weights, len(loaders["train"].dataset.classes), norms == "frozen").to(memory_format=torch.channels_last)
    # The best weights are tested, as runner does.
    best = FTSCheckpoint(folder, monitor="val_loss")
    scheduler = FinetuningScheduler(ft_schedule=schedule(folder), epoch_transitions_only=True, restore_best=False)
    trainer = lightning.Trainer(
        max_epochs=PHASES[-1][0], accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        num_sanity_val_steps=0, default_root_dir=folder,
        callbacks=[scheduler, best],
    )  # fmt: skip
    trainer.fit(net, loaders["train"], loaders["val"])
    net.load_state_dict(torch.load(best.best_model_path, weights_only=False)["state_dict"])
    trainer.test(net, loaders["test"], verbose=False)
    print(json.dumps({"seconds": time.perf_counter() - started, "accuracy": net.correct / net.count}))


main(*sys.argv[1:])
