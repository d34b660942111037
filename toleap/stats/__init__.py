"""The estimators behind a result table."""
