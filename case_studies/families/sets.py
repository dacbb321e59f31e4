"""Families of image networks as the study reads them from the public sets: members, FLOP, error, the largest."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pandas as pd

import bayescale as bs
from bayescale.runs import Runs

SHA256 = {
    "timm_imagenet": "038fe89b6077a762e44d816c95c6c9fe874df8bfaae32e255181f233f1a2dcc2",
    "ultralytics_yolo": "b4dedadeb51f6369b91c65c1ad739116afeb8247cb21ec8f03ccdf835043d44f",
}
# Every family of timm's table that has one scaling rule of its authors, one recipe (weights tag) and at least five
# members that were measured. Its name, the names of its members, the tag, the side of the image (None: of each member
# the largest that it was tested at).
FAMILIES: tuple[tuple[str, str, str, int | None], ...] = (
    ("ConvNeXt V2", r"convnextv2_\w+", "fcmae_ft_in1k", 224),
    ("ConvNeXt, ImageNet-22k", r"convnext_\w+", "fb_in22k_ft_in1k_384", 384),
    ("DeiT III", r"deit3_\w+_224", "fb_in1k", 224),
    ("EfficientNet, AdvProp", r"tf_efficientnet_b\d", "ap_in1k", None),
    ("EfficientNet, AutoAugment", r"tf_efficientnet_b\d", "aa_in1k", None),
    ("EfficientNet, Noisy Student", r"tf_efficientnet_(b\d|l2)", "ns_jft_in1k", None),
    ("EfficientNet V2", r"tf_efficientnetv2_(b\d|s|m|l)", "in1k", None),
    ("FastViT", r"fastvit_\w+", "apple_dist_in1k", 256),
    ("GC ViT", r"gcvit_\w+", "in1k", 224),
    ("HGNet V2", r"hgnetv2_b\d", "ssld_stage2_ft_in1k", 224),
    ("HRNet", r"hrnet_w\d+", "ms_in1k", 224),
    ("Hiera", r"hiera_\w+_224", "mae_in1k_ft_in1k", 224),
    ("LeViT", r"levit_\d+s?", "fb_dist_in1k", 224),
    ("MobileViT V2", r"mobilevitv2_\d+", "cvnets_in1k", 256),
    ("NFNet", r"dm_nfnet_f\d", "dm_in1k", None),
    ("PVT V2", r"pvt_v2_b\d", "in1k", 224),
    ("PoolFormer", r"poolformer_\w+", "sail_in1k", 224),
    ("ReXNet", r"rexnet_\d+", "nav_in1k", 224),
    ("RegNetX", r"regnetx_\d+", "pycls_in1k", 224),
    ("RegNetY", r"regnety_\d+", "pycls_in1k", 224),
    ("RepGhostNet", r"repghostnet_\d+", "in1k", 224),
    ("ResNet, A1", r"resnet\d+", "a1_in1k", 224),
    ("ResNet-RS", r"resnetrs\d+", "tf_in1k", None),
    ("TinyNet", r"tinynet_\w", "in1k", None),
    ("VOLO", r"volo_d\d_224", "sail_in1k", 224),
    ("XCiT", r"xcit_\w+_p16_224", "fb_dist_in1k", 224),
)
FEWEST = 5
# What a device could have computed in the time that a network took: error against it is a family's by latency.
T4_PEAK = 65e12  # FLOP/s, 16-bit


def table(name: str) -> pd.DataFrame:
    """A public set, checked to be that of this study."""
    path = Path(os.environ["BAYESCALE_DATA"]) / name / "data.csv"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{path} is not the table of this study (SHA-256 {found[:12]})")
    return pd.read_csv(path)


def as_runs(frame: pd.DataFrame, name: str) -> Runs:
    """Families are architectures; FLOP of one image take the place of training compute."""
    columns = ["architecture", "task", "flops", "loss", "held_out"]
    info = {"*": {"metric": "error", "upper": 1.0}}
    return bs.load_runs(
        frame[columns], columns={"compute": "flops (FLOP)"}, task_info=info, name=name
    )


def imagenet() -> pd.DataFrame:
    """Top-1 errors of 26 families on ImageNet; the member of most FLOP is marked."""
    every = table("timm_imagenet")
    every = every[every["task"] == "imagenet"].dropna(subset="gmacs")
    found = []
    for label, members, weights, side in FAMILIES:
        own = every[every["architecture"].str.fullmatch(members) & (every["weights"] == weights)]
        own = own if side is None else own[own["img_size"] == side]
        own = own.sort_values("img_size").groupby("architecture").tail(1)
        if len(own) < FEWEST:
            raise SystemExit(f"{label}: {len(own)} members (expected at least {FEWEST})")
        largest = own["flops"] == own["flops"].max()
        found.append(own.assign(member=own["architecture"], architecture=label, held_out=largest))
    return pd.concat(found, ignore_index=True).assign(loss=lambda rows: rows["error"])


def yolo(by_latency: bool = False) -> pd.DataFrame:
    """Errors (1 − mAP, 1 − accuracy) of three generations on five tasks, n to x; x is marked.

    By latency, those measured on one device (YOLO11 and 26, T4), against what it could have computed in that time.
    """
    rows = table("ultralytics_yolo")
    rows = rows.assign(
        architecture=rows["family"],
        task=rows["task"] + " " + rows["dataset"],
        loss=rows["error"],
        held_out=rows["scale"] == "x",
        member=rows["scale"],
    )
    if not by_latency:
        return rows
    rows = rows[rows["gpu"] == "t4"]
    return rows.assign(flops=rows["gpu_ms"] / 1e3 * T4_PEAK)
