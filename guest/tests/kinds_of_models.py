"""Models, figures and documents."""

from __future__ import annotations

from object_kind import Kind, group, kept

MODELS: list[Kind] = group(
    "scipy, scikit-learn, matplotlib, openpyxl, Pillow",
    kept(
        "sparse matrix",
        """
        import scipy.sparse as sp, numpy as np
        x = sp.csr_array(np.eye(3))
        y = sp.coo_matrix(np.eye(2))
        """,
        "x.sum() == 3 and y.tocsr()[1, 1] == 1",
    ),
    kept(
        "distribution, tree, spline",
        """
        import scipy.stats, scipy.spatial, scipy.interpolate, numpy as np
        x = scipy.stats.norm(1, 2)
        t = scipy.spatial.cKDTree(np.eye(3))
        s = scipy.interpolate.CubicSpline([0, 1, 2], [0, 1, 4])
        """,
        "x.mean() == 1 and t.query([1, 0, 0])[1] == 0 and abs(float(s(1.5)) - 2.25) < 1e-9",
        "x.dist.random_state is np.random.mtrand._rand",
    ),
    kept(
        "forest",
        """
        import numpy as np
        from sklearn.ensemble import RandomForestRegressor
        X = np.arange(40.).reshape(-1, 1)
        x = RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])
        p = x.predict([[7.]])[0]
        """,
        "x.predict([[7.]])[0] == p and x.n_features_in_ == 1",
    ),
    kept(
        "gradient boosting",
        """
        import numpy as np
        from sklearn.ensemble import HistGradientBoostingClassifier
        X = np.arange(60.).reshape(-1, 1)
        x = HistGradientBoostingClassifier(max_iter=3).fit(X, X[:, 0] > 20)
        p = x.predict_proba(X)
        """,
        "(x.predict_proba(X) == p).all()",
    ),
    kept(
        "pipeline with a lambda",
        """
        import numpy as np, pandas as pd
        from sklearn.pipeline import make_pipeline
        from sklearn.compose import ColumnTransformer
        from sklearn.preprocessing import FunctionTransformer, StandardScaler
        from sklearn.linear_model import LinearRegression
        X = pd.DataFrame({'a': [1., 2, 3], 'b': [2., 4, 7]})
        plus = FunctionTransformer(lambda v: v + 1)
        columns = ColumnTransformer([('s', StandardScaler(), ['a']), ('f', plus, ['b'])])
        x = make_pipeline(columns, LinearRegression()).fit(X, [1, 2, 3])
        p = x.predict(X)
        """,
        "np.allclose(x.predict(X), p)",
    ),
    kept(
        "grid search, estimator of a cell",
        """
        import numpy as np
        from sklearn.base import BaseEstimator, RegressorMixin
        from sklearn.model_selection import GridSearchCV
        class Mean(RegressorMixin, BaseEstimator):
            def __init__(self, shift=0): self.shift = shift
            def fit(self, X, y): self.m_ = y.mean(); return self
            def predict(self, X): return np.full(len(X), self.m_ + self.shift)
        x = GridSearchCV(Mean(), {'shift': [0, 1]}, cv=2).fit(np.zeros((6, 1)), np.arange(6.))
        """,
        "type(x.best_estimator_) is Mean and x.best_params_ == {'shift': 0}",
    ),
    kept(
        "figure and axes",
        """
        import matplotlib
        matplotlib.use('agg')
        import matplotlib.pyplot as plt
        fig, ax = plt.subplots()
        line, = ax.plot([1, 2], label='l')
        ax.set_title('t')
        ax.legend()
        rc = plt.rcParams
        """,
        "fig.axes[0] is ax and ax.lines[0] is line and ax.get_title() == 't'",
        "ax.plot([3]); import io; fig.savefig(io.BytesIO())",
        "import matplotlib; assert rc is matplotlib.rcParams",
    ),
    kept(
        "workbook",
        """
        import openpyxl
        x = openpyxl.Workbook()
        x.active['A1'] = 5
        x.active['A2'] = '=A1'
        """,
        "x.active['A1'].value == 5 and x.active['A2'].value == '=A1'",
        "import io; x.save(io.BytesIO())",
    ),
    kept(
        "image",
        """
        from PIL import Image
        x = Image.new('RGB', (2, 2), 'red')
        """,
        "x.getpixel((0, 0)) == (255, 0, 0) and x.size == (2, 2)",
    ),
)
