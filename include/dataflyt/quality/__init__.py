"""Data quality: rules as data, the expectations behind them, and running them on staged tables."""
