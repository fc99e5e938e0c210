"""Writes test/container/float8.json: the F16 bits of the 256 values of each float of eight bits, by PyTorch. Run in this folder."""
import json

import torch

kinds = {
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
    "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
}
codes = torch.arange(256, dtype=torch.uint8)
halves = {name: [int(x) & 0xFFFF for x in codes.view(kind).half().view(torch.int16)] for name, kind in kinds.items()}
with open("../container/float8.json", "w") as file:
    file.write("{\n" + ",\n".join(f'"{name}": {json.dumps(bits)}' for name, bits in halves.items()) + "\n}\n")
