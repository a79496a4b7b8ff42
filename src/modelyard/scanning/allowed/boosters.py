"""xgboost and lightgbm: their scikit-learn estimators and boosters, which hold the libraries' own model format."""

from __future__ import annotations

from typing import Final

NAMES: Final = """
lightgbm.basic: Booster
lightgbm.sklearn: LGBMClassifier LGBMModel LGBMRanker LGBMRegressor
xgboost.core: Booster
xgboost.sklearn: XGBClassifier XGBModel XGBRFClassifier XGBRFRegressor XGBRanker XGBRegressor
"""
