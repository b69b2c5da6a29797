"""The common part of all estimators as feature selectors of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np

from planted.base.extras import need

__all__ = ["SparseSelector"]

_USER = "an estimator"
SelectorMixin: Any = need("sklearn.feature_selection", _USER).SelectorMixin
check_is_fitted: Any = need("sklearn.utils.validation", _USER).check_is_fitted


class SparseSelector(SelectorMixin):
    """Selects the features in `support_`, and accepts sparse matrices."""

    support_: np.ndarray
    n_features_in_: int

    def _get_support_mask(self) -> Any:
        """Return which features are kept by ``transform``."""
        check_is_fitted(self)
        mask = np.zeros(self.n_features_in_, dtype=bool)
        mask[self.support_] = True
        return mask

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's description of the estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
