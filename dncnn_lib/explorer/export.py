"""A network as an ONNX file, for runtimes without Python."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from ..model import DnCNN

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 13


def to_onnx(net: DnCNN, *, half: bool = True) -> ModelProto:
    """The network as a graph from ``noisy`` to ``restored``, both (1, channels, H, W), float32.

    Batch norm is folded into the convolutions. half: store the weights in 16 bits, to be cast to
    32 when the graph is loaded: half the size, and the same computing.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    net = net.fold_batch_norm()
    nodes, stored, current = [], [], "noisy"

    def weight(name: str, values: np.ndarray) -> str:
        if not half:
            stored.append(numpy_helper.from_array(values, name))
            return name
        stored.append(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        nodes.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        return name

    for number, layer in enumerate(net.layers):
        output = f"layer{number}"
        if isinstance(layer, nn.Conv2d):
            inputs = [current, weight(f"{output}.weight", layer.weight.detach().numpy())]
            if layer.bias is not None:
                inputs.append(weight(f"{output}.bias", layer.bias.detach().numpy()))
            how = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
            nodes.append(helper.make_node("Conv", inputs, [output], **how))
        else:
            nodes.append(helper.make_node("Relu", [current], [output]))
        current = output
    if net.residual:
        nodes.append(helper.make_node("Sub", ["noisy", current], ["restored"]))
    else:
        nodes.append(helper.make_node("Identity", [current], ["restored"]))
    shape = [1, net.channels, "height", "width"]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in ("noisy", "restored")
    ]
    graph = helper.make_graph(nodes, "DnCNN", ends[:1], ends[1:], stored)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    checker.check_model(model)
    return model
