"""The standard library's harmless names."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
_codecs: encode
array: _array_reconstructor array
builtins: ArithmeticError AttributeError Ellipsis Exception FloatingPointError ImportError IndexError
  KeyError LookupError NotImplemented NotImplementedError OverflowError RuntimeError StopIteration TypeError
  UserWarning ValueError Warning ZeroDivisionError abs bool bytearray bytes complex dict float frozenset int
  len list max min object pow range reversed round set slice str sum tuple zip
collections: ChainMap Counter OrderedDict UserDict UserList UserString defaultdict deque
copyreg: __newobj__ _reconstructor
datetime: date datetime time timedelta timezone
decimal: Decimal
fractions: Fraction
math: acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees erf erfc exp expm1 fabs floor hypot
  isfinite isinf isnan log log10 log1p log2 pow radians sin sinh sqrt tan tanh trunc
numbers: Complex Integral Number Rational Real
operator: add and_ eq floordiv ge gt le lt mod mul ne neg not_ or_ pos pow sub truediv
pathlib: Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath
random: Random
re: _compile
types: EllipsisType MappingProxyType NoneType NotImplementedType SimpleNamespace
uuid: SafeUUID UUID
"""
