#!/usr/bin/env python3
"""Makes tests/ShiftAddVit.Tests/Golden/Fixtures/as_released.safetensors: what the authors' own modules compute, in float32 as they do.

    git clone https://github.com/GATECH-EIC/ShiftAddViT CHECKOUT && git -C CHECKOUT checkout 47671cf011ad0211b9f6d476dd443157687b63c1
    ./make_released.py CHECKOUT        (needs torch >= 1.13; packages that only training needs are replaced by dummies)

Attention, from the layers' outputs to the input of the output projection, is named FORM[.CASE].TENSOR; H = 2 heads of D = 8 channels:
    FORM  ksh (pvt_v2.LinAngularAttention_ksh), quant_v2 (pvt_v2.LinAngularAttention_binary), quant_v1 (the class of that name in pvt)
    CASE  none: a batch; alone: its first image by itself; part: the first tokens of that image; zero: one token of the last image is all 0
    qk | q, k, v, y [B,H,N,D]; codes | codes_q, codes_k [B,H,N,I]; of the batch alone, filter [H,9]
Elements that come out as NaN stand as 0 and are marked by 1 in TENSOR.nan.
    ksh.anchors [H,A,D], ksh.mean [H,A], ksh.projection [H,I,A]: as that module fitted them, to another batch
    shift.x [M,K], shift.shift and shift.sign [N,K], shift.bias [N], shift.y [M,N]: deepshift.modules.LinearShift, 5 bits"""
import argparse
import pathlib
import sys
from unittest.mock import MagicMock

import numpy
import torch

from vit_reference import write_safetensors

OUT = pathlib.Path(__file__).resolve().parents[2] / "tests/ShiftAddVit.Tests/Golden/Fixtures/as_released.safetensors"
DUMMIES = ("params logger visual_distr timm.models.layers timm.models.registry timm.models.vision_transformer timm.models timm thop einops "
           "scipy.stats scipy tree").split()
HEADS, HEAD_SIZE = 2, 8

# No element is closer to the threshold of its code: any order of summing in float32 or float64 finds the same codes.
CLEAR = 1e-5


def official(checkout):
    """The modules of the checkout, with the settings of its configs pvt_v2_b0_LinAngular."""
    sys.modules.update({name: MagicMock() for name in DUMMIES})
    sys.modules["params"].args = argparse.Namespace(nbits=16, m=25, topk=10, tvm_tune=False, tvm_throughput=False)
    sys.modules["scipy.stats"].ortho_group.rvs = numpy.eye  # for buffers that nothing reads
    sys.path.insert(0, str(checkout / "pvt"))
    import deepshift.modules, hashing.ksh, pvt, pvt_v2
    return deepshift.modules, hashing.ksh, pvt, pvt_v2


def heads(x):
    """[B,N,C] -> [B,H,N,D]."""
    return x.unflatten(-1, (HEADS, HEAD_SIZE)).transpose(1, 2)


def run(module, x):
    """What the submodules of an attention took and gave, by name: {"proj": (input, output), ...}; matrix products take two."""
    seen = {}
    watch = lambda name: lambda _, taken, given: seen.update({name: (taken[0].detach().clone(), given.detach().clone())})
    hooks = [part.register_forward_hook(watch(name)) for name, part in module.named_children()]
    module(x, 0, 0)
    for hook in hooks:
        hook.remove()
    return seen


def ksh(module, x):
    seen = run(module, x)
    return {"qk": heads(seen["to_qk"][1]), "v": heads(seen["to_v"][1]), "codes": seen["kqv_matmul"][0], "y": heads(seen["proj"][0])}


def quant(module, x):
    seen = run(module, x)
    layers = seen["qkv"][1].chunk(3, -1) if "qkv" in seen else (seen["q"][1], *seen["kv"][1].chunk(2, -1))
    q, k, v = map(heads, layers)
    codes_q, codes_k = seen["kqv_matmul"][0], seen["kq_matmul"][0].transpose(-2, -1)
    return {"q": q, "k": k, "v": v, "codes_q": codes_q, "codes_k": codes_k, "y": heads(seen["proj"][0])}


def assert_clear(distances, form):
    """Of distances from the threshold; those that are NaN are far."""
    assert not (distances.abs() <= CLEAR).any(), f"{form}: an element close to the threshold: take another seed"


def assert_quant_clear(form, seen):
    for x in (seen["q"], seen["k"]):
        x = x.double() / x.double().norm(dim=-1, keepdim=True)
        assert_clear(x - x.mean() if form == "quant_v2" else x, form)


def zeroed(x):
    x = x.clone()
    x[-1, 2] = 0
    return x


def filter_of(module):
    return module.dconv.weight.detach().view(HEADS, 9)


def hashing(file, hashes):
    class Watched(hashes.BinaryQuantizer):
        @classmethod
        def apply(cls, y):
            assert_clear(y, "ksh")
            return super().apply(y)

    hashes.BinaryQuantizer = Watched
    module = file.LinAngularAttention_ksh(HEADS * HEAD_SIZE, HEADS)
    run(module, torch.randn(2, 40, HEADS * HEAD_SIZE))  # the first forward pass fits
    x = torch.randn(2, 26, HEADS * HEAD_SIZE)
    cases = {"ksh": ksh(module, x), "ksh.part": ksh(module, x[:1, :9]), "ksh.zero": ksh(module, zeroed(x[:, :9]))}
    fitted = module.qk_quant.ksh
    cases["ksh"].update(anchors=fitted.anchor[0], mean=fitted.mvec[0, :, 0], projection=fitted.A, filter=filter_of(module))
    return cases


def thresholds(form, file):
    module = file.LinAngularAttention_binary(HEADS * HEAD_SIZE, HEADS)
    x = torch.randn(3, 12, HEADS * HEAD_SIZE)
    x[1:] += 0.5  # images differ in brightness
    cases = {form: quant(module, x), form + ".alone": quant(module, x[:1]), form + ".zero": quant(module, zeroed(x[:2, :5]))}
    for seen in cases.values():
        assert_quant_clear(form, seen)
    cases[form]["filter"] = filter_of(module)
    return cases


def shift(layers):
    """Roundings of halves, values and shifts out of range, both signs of what is floored."""
    module = layers.LinearShift(7, 6, use_kernel=False)
    module.shift.data[0] = torch.tensor([-20, -14.5, -2.5, -3.5, 0.4, 3, -0.5])
    module.sign.data[1] = torch.tensor([0.5, -0.5, 1.5, -1.5, 0.51, -0.51, 0])
    x = torch.randn(5, 7)
    x[0, 0], x[1, 1], x[2] = 40000, -40000, torch.tensor([1e-6, -1e-6, 1.5 / 65536, -1.5 / 65536, 0, 1, -1])
    given = {"x": x, "shift": module.shift, "sign": module.sign, "bias": module.bias}
    given = {name: tensor.detach().clone() for name, tensor in given.items()}  # the forward pass writes to them
    return {"shift": {**given, "y": module(x).detach()}}


def compact(tensors):
    """Float16 where that is exact, NaN apart."""
    for name, tensor in tensors.items():
        missing, tensor = tensor.isnan(), tensor.nan_to_num(0)
        yield name, tensor.half() if tensor.half().equal(tensor) else tensor
        if missing.any():
            yield name + ".nan", missing.half()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkout", type=pathlib.Path)
    layers, hashes, pvt, pvt_v2 = official(parser.parse_args().checkout)
    torch.manual_seed(1)
    cases = {**hashing(pvt_v2, hashes), **thresholds("quant_v2", pvt_v2), **thresholds("quant_v1", pvt), **shift(layers)}
    tensors = {f"{case}.{name}": tensor for case, tensors in cases.items() for name, tensor in tensors.items()}
    write_safetensors(OUT, dict(compact(tensors)))
