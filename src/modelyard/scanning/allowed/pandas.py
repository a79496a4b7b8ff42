"""pandas 1.5 to 3: frames, series, indexes, arrays and their dtypes."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
pandas: ArrowDtype BooleanDtype Categorical CategoricalDtype CategoricalIndex DataFrame DatetimeIndex
  DatetimeTZDtype Float32Dtype Float64Dtype Index Int16Dtype Int32Dtype Int64Dtype Int8Dtype Interval
  IntervalDtype IntervalIndex MultiIndex NA NaT Period PeriodDtype PeriodIndex RangeIndex Series SparseDtype
  StringDtype Timedelta TimedeltaIndex Timestamp UInt16Dtype UInt32Dtype UInt64Dtype UInt8Dtype
pandas._libs.arrays: NDArrayBacked __pyx_unpickle_NDArrayBacked
pandas._libs.internals: Block BlockManager BlockPlacement BlockValuesRefs _unpickle_block
pandas._libs.interval: Interval IntervalMixin IntervalTree __pyx_unpickle_Float64ClosedBothIntervalNode
  __pyx_unpickle_Float64ClosedLeftIntervalNode __pyx_unpickle_Float64ClosedNeitherIntervalNode
  __pyx_unpickle_Float64ClosedRightIntervalNode __pyx_unpickle_Int64ClosedBothIntervalNode
  __pyx_unpickle_Int64ClosedLeftIntervalNode __pyx_unpickle_Int64ClosedNeitherIntervalNode
  __pyx_unpickle_Int64ClosedRightIntervalNode __pyx_unpickle_IntervalMixin __pyx_unpickle_IntervalNode
  __pyx_unpickle_IntervalTree __pyx_unpickle_Uint64ClosedBothIntervalNode
  __pyx_unpickle_Uint64ClosedLeftIntervalNode __pyx_unpickle_Uint64ClosedNeitherIntervalNode
  __pyx_unpickle_Uint64ClosedRightIntervalNode
pandas._libs.missing: C_NAType NAType __pyx_unpickle_C_NAType
pandas._libs.sparse: BlockIndex IntIndex SparseIndex __pyx_unpickle_BlockMerge __pyx_unpickle_BlockUnion
  __pyx_unpickle_SparseIndex
pandas._libs.tslibs.base: ABCTimestamp __pyx_unpickle_ABCTimestamp
pandas._libs.tslibs.dtypes: FreqGroup NpyDatetimeUnit PeriodDtypeBase Resolution
pandas._libs.tslibs.nattype: NaTType _NaT __pyx_unpickle__NaT _nat_unpickle
pandas._libs.tslibs.offsets: BHalfYearBegin BHalfYearEnd BQuarterBegin BQuarterEnd BYearBegin BYearEnd
  BaseOffset BusinessDay BusinessHour BusinessMixin BusinessMonthBegin BusinessMonthEnd CustomBusinessDay
  CustomBusinessHour CustomBusinessMonthBegin CustomBusinessMonthEnd Day Easter FY5253 FY5253Mixin
  FY5253Quarter HalfYearBegin HalfYearEnd HalfYearOffset Hour LastWeekOfMonth Micro Milli Minute MonthBegin
  MonthEnd MonthOffset Nano OffsetMeta QuarterBegin QuarterEnd QuarterOffset RelativeDeltaOffset Second
  SemiMonthBegin SemiMonthEnd SemiMonthOffset SingleConstructorOffset Tick Week WeekOfMonth WeekOfMonthMixin
  YearBegin YearEnd YearOffset _CustomBusinessMonth _CustomBusinessMonthBegin _CustomBusinessMonthEnd
  _YearEnd __pyx_unpickle_BaseOffset
pandas._libs.tslibs.period: Period PeriodMixin _Period __pyx_unpickle_PeriodMixin
pandas._libs.tslibs.timedeltas: MinMaxReso ResoState Timedelta _Timedelta __pyx_unpickle__Timedelta
  _timedelta_unpickle
pandas._libs.tslibs.timestamps: MinMaxReso Timestamp _Timestamp _unpickle_timestamp
pandas.arrays: ArrowExtensionArray ArrowStringArray BooleanArray DatetimeArray FloatingArray IntegerArray
  IntervalArray NumpyExtensionArray PeriodArray SparseArray StringArray TimedeltaArray
pandas.core.arrays.boolean: BooleanArray BooleanDtype
pandas.core.arrays.categorical: Categorical
pandas.core.arrays.datetimes: DatetimeArray
pandas.core.arrays.floating: Float32Dtype Float64Dtype FloatingArray FloatingDtype
pandas.core.arrays.integer: Int16Dtype Int32Dtype Int64Dtype Int8Dtype IntegerArray IntegerDtype UInt16Dtype
  UInt32Dtype UInt64Dtype UInt8Dtype
pandas.core.arrays.interval: IntervalArray
pandas.core.arrays.numpy_: NumpyExtensionArray PandasArray
pandas.core.arrays.period: PeriodArray
pandas.core.arrays.sparse.array: SparseArray
pandas.core.arrays.sparse.dtype: SparseDtype
pandas.core.arrays.string_: StringArray StringDtype
pandas.core.arrays.string_arrow: ArrowStringArray
pandas.core.arrays.timedeltas: TimedeltaArray
pandas.core.dtypes.dtypes: ArrowDtype CategoricalDtype DatetimeTZDtype IntervalDtype PeriodDtype SparseDtype
pandas.core.flags: Flags
pandas.core.frame: DataFrame
pandas.core.generic: NDFrame
pandas.core.indexes.base: Index _new_Index
pandas.core.indexes.category: CategoricalIndex
pandas.core.indexes.datetimelike: _new_DatetimeIndex
pandas.core.indexes.datetimes: DatetimeIndex _new_DatetimeIndex
pandas.core.indexes.frozen: FrozenList
pandas.core.indexes.interval: IntervalIndex _new_IntervalIndex
pandas.core.indexes.multi: MultiIndex
pandas.core.indexes.numeric: Float64Index Int64Index UInt64Index
pandas.core.indexes.period: PeriodIndex
pandas.core.indexes.range: RangeIndex
pandas.core.indexes.timedeltas: TimedeltaIndex
pandas.core.internals.blocks: Block DatetimeLikeBlock EABackedBlock ExtensionBlock
  NDArrayBackedExtensionBlock NumpyBlock new_block
pandas.core.internals.concat: JoinUnit
pandas.core.internals.managers: BaseBlockManager BlockManager SingleBlockManager
pandas.core.internals.ops: BlockPairInfo
pandas.core.series: Series
"""
