"""numpy: arrays, scalars, dtypes, random state, ufuncs and reductions; and joblib's array placeholder."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
joblib.numpy_pickle: NumpyArrayWrapper
numpy: abs absolute acos acosh add amax amin arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax
  argmin argsort array asanyarray asarray ascontiguousarray asin asinh atan atan2 atanh atleast_1d
  atleast_2d average bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
  bitwise_right_shift bitwise_xor bool bool_ byte bytes_ cbrt cdouble ceil character clip clongdouble
  complex128 complex256 complex64 complex_ complexfloating concatenate conj conjugate copysign cos cosh
  csingle cumprod cumsum datetime64 deg2rad degrees diff divide divmod dot double dtype empty equal exp exp2
  expm1 fabs flexible float128 float16 float32 float64 float_ float_power floating floor floor_divide fmax
  fmin fmod frexp full gcd generic greater greater_equal half heaviside hstack hypot imag inexact int16
  int32 int64 int8 int_ intc integer intp invert isclose isfinite isinf isnan isnat lcm ldexp left_shift
  less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor
  long longdouble longlong matmul matrix matvec max maximum mean median min minimum mod modf multiply
  nan_to_num nanmax nanmean nanmedian nanmin nanpercentile nanquantile nanstd nansum nanvar ndarray negative
  nextafter not_equal number object_ ones ones_like percentile positive pow power prod quantile rad2deg
  radians ravel real recarray reciprocal record remainder reshape right_shift rint round short sign signbit
  signedinteger sin single sinh sort spacing sqrt square squeeze stack std str_ string_ subtract sum tan
  tanh timedelta64 transpose true_divide trunc ubyte uint uint16 uint32 uint64 uint8 uintc uintp ulong
  ulonglong unicode_ unique unsignedinteger ushort var vecdot vecmat void vstack where zeros zeros_like
numpy._core._internal: _convert_to_stringdtype_kwargs
numpy._core._multiarray_umath: _reconstruct scalar
numpy._core.multiarray: _reconstruct scalar
numpy._core.numeric: _frombuffer
numpy._core.records: recarray record
numpy.core._internal: _convert_to_stringdtype_kwargs
numpy.core._multiarray_umath: _reconstruct scalar
numpy.core.multiarray: _reconstruct scalar
numpy.core.numeric: _frombuffer
numpy.core.records: recarray record
numpy.dtypes: BoolDType ByteDType BytesDType CLongDoubleDType Complex128DType Complex64DType DateTime64DType
  Float16DType Float32DType Float64DType Int16DType Int32DType Int64DType Int8DType IntDType LongDType
  LongDoubleDType LongLongDType ObjectDType ShortDType StrDType StringDType TimeDelta64DType UByteDType
  UInt16DType UInt32DType UInt64DType UInt8DType UIntDType ULongDType ULongLongDType UShortDType VoidDType
numpy.lib._polynomial_impl: poly1d
numpy.lib.polynomial: poly1d
numpy.ma: MaskedArray
numpy.ma.core: MaskedArray MaskedConstant MaskedIterator _mareconstruct mvoid
numpy.matrixlib.defmatrix: matrix
numpy.polynomial.chebyshev: Chebyshev
numpy.polynomial.hermite: Hermite
numpy.polynomial.hermite_e: HermiteE
numpy.polynomial.laguerre: Laguerre
numpy.polynomial.legendre: Legendre
numpy.polynomial.polynomial: Polynomial
numpy.random._bit_generator: SeedSequence
numpy.random._generator: Generator
numpy.random._mt19937: MT19937
numpy.random._pcg64: PCG64 PCG64DXSM
numpy.random._philox: Philox
numpy.random._pickle: __bit_generator_ctor __generator_ctor __randomstate_ctor
numpy.random._sfc64: SFC64
numpy.random.bit_generator: SeedSequence SeedlessSeedSequence __pyx_unpickle_SeedSequence
numpy.random.mtrand: RandomState
"""
