"""torch: tensors and their storages, so that plain weights can be judged; module classes are not here."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
torch: BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage ComplexFloatStorage
  DoubleStorage FloatStorage HalfStorage IntStorage LongStorage QInt32Storage QInt8Storage QUInt8Storage
  ShortStorage Size UntypedStorage bfloat16 bool device dtype float16 float32 float64 int16 int32 int64 int8
  uint8
torch._utils: _rebuild_parameter _rebuild_parameter_with_state _rebuild_tensor _rebuild_tensor_v2
torch.nn.parameter: Parameter
torch.storage: TypedStorage UntypedStorage
"""
