"""scipy: sparse matrices, trees, splines and a few ufuncs. No distributions: those run text from their state."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
scipy._lib.array_api_compat.numpy._aliases: asarray
scipy.interpolate: BSpline interp1d
scipy.interpolate._bary_rational: AAA FloaterHormannInterpolator _BarycentricRational
scipy.interpolate._bsplines: BSpline
scipy.interpolate._cubic: Akima1DInterpolator CubicHermiteSpline CubicSpline PchipInterpolator
scipy.interpolate._fitpack2: BivariateSpline InterpolatedUnivariateSpline LSQBivariateSpline
  LSQSphereBivariateSpline LSQUnivariateSpline RectBivariateSpline RectSphereBivariateSpline
  SmoothBivariateSpline SmoothSphereBivariateSpline SphereBivariateSpline UnivariateSpline
  _BivariateSplineBase _DerivedBivariateSpline
scipy.interpolate._interpnd: CloughTocher2DInterpolator LinearNDInterpolator NDInterpolatorBase
scipy.interpolate._interpolate: BPoly NdPPoly PPoly _PPolyBase interp1d
scipy.interpolate._ndbspline: NdBSpline
scipy.interpolate._ndgriddata: NearestNDInterpolator
scipy.interpolate._polyint: BarycentricInterpolator KroghInterpolator _Interpolator1D
  _Interpolator1DWithDerivatives
scipy.interpolate._rbfinterp: RBFInterpolator
scipy.interpolate._rgi: RegularGridInterpolator
scipy.interpolate.interpolate: interp1d
scipy.sparse._base: _spbase sparray
scipy.sparse._bsr: _bsr_base bsr_array bsr_matrix
scipy.sparse._compressed: _cs_matrix
scipy.sparse._coo: _coo_base coo_array coo_matrix
scipy.sparse._csc: _csc_base csc_array csc_matrix
scipy.sparse._csr: _csr_base csr_array csr_matrix
scipy.sparse._data: _data_matrix _minmax_mixin
scipy.sparse._dia: _dia_base dia_array dia_matrix
scipy.sparse._dok: _dok_base dok_array dok_matrix
scipy.sparse._index: IndexMixin
scipy.sparse._lil: _lil_base lil_array lil_matrix
scipy.sparse._matrix: spmatrix
scipy.sparse.bsr: bsr_matrix
scipy.sparse.coo: coo_matrix
scipy.sparse.csc: csc_matrix
scipy.sparse.csr: csr_matrix
scipy.sparse.dia: dia_matrix
scipy.sparse.dok: dok_matrix
scipy.sparse.lil: lil_matrix
scipy.spatial._ckdtree: __pyx_unpickle_cKDTreeNode cKDTree cKDTreeNode coo_entries ordered_pairs
scipy.spatial._kdtree: KDTree Rectangle
scipy.spatial._qhull: ConvexHull Delaunay HalfspaceIntersection Voronoi _Qhull _QhullUser
scipy.spatial._spherical_voronoi: SphericalVoronoi
scipy.spatial.ckdtree: cKDTree
scipy.spatial.kdtree: KDTree
scipy.spatial.transform._rotation: Rotation Slerp
scipy.special: expit logit
scipy.special._ufuncs: erf erfc expit expm1 gammaln log1p logit xlogy
"""
