"""The company's customer metrics."""

from metrics.customer import MetricsError, ltv_predict, rfm_score

__all__ = ["MetricsError", "ltv_predict", "rfm_score"]
